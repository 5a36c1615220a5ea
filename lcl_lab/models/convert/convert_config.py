"""Options of the command that converts a released checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from lcl_lab.config import Config

__all__ = ["VISION_TOWER", "ConvertConfig"]

VISION_TOWER = "openai/clip-vit-large-patch14"
"""Hub id of the CLIP that all supported releases were trained with."""


class ConvertConfig(Config):
    """Convert a released checkpoint of link-context learning, Shikra, OpenFlamingo or Otter."""

    POSITIONAL: ClassVar[tuple[str, ...]] = ("source", "target")

    source: Path = Field(description="folder of the released shards or checkpoint.pt")
    target: Path = Field(description="folder to write; must not exist")
    vision_tower: str = Field(
        VISION_TOWER,
        description="folder or hub id of the CLIP that it was trained with; for OpenFlamingo also MODEL:PRETRAINED of "
        "open_clip, where PRETRAINED is a tag or a file; Otter contains it",
    )
    language_model: str | None = Field(
        None,
        description="folder or hub id of the language model that OpenFlamingo was trained with, or of Otter's "
        "tokenizer if the release does not name it",
    )
