"""Options of training the photo models."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from lcl_lab.config import Config, Threads

__all__ = ["PhotoTrainConfig"]


class PhotoTrainConfig(Config):
    """Options of training the photo models from published weights and pictures."""

    out: Path = Field(description="folder for the downloads, the datasets and the models")
    preset: Literal["default", "tiny"] = Field("default", description="preset of every training; tiny is a smoke test")
    threads: Threads | None = Field(None, description="CPU threads (default: one per core)")
    ship: bool = Field(
        False,
        description="replace the shipped datasets and prototype, and the other models if all criteria are met",
    )
