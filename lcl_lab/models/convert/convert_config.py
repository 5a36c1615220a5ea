"""Options of the command that converts a released checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from lcl_lab.config import Config

__all__ = ["VISION_TOWER", "ConvertConfig"]

VISION_TOWER = "openai/clip-vit-large-patch14"
"""Hub id of the CLIP that Shikra and the checkpoints of link-context learning were trained with."""


class ConvertConfig(Config):
    """Convert a released checkpoint of link-context learning, or of Shikra, to a LLaVA of `transformers`."""

    POSITIONAL: ClassVar[tuple[str, ...]] = ("source", "target")

    source: Path = Field(description="folder of the released shards")
    target: Path = Field(description="folder to write; must not exist")
    vision_tower: str = Field(VISION_TOWER, description="folder or hub id of the CLIP that it was trained with")
