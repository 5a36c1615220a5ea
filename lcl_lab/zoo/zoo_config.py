"""Options of the commands that train, compare and list the shipped models."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from lcl_lab.config import Config, Threads

__all__ = ["ZooSeedsConfig", "ZooTableConfig", "ZooTrainConfig"]


class _TrainingOptions(Config):
    preset: Literal["default", "tiny"] = Field("default", description="preset of every training; tiny is a smoke test")
    threads: Threads | None = Field(None, description="CPU threads (default: one per core)")


class ZooTrainConfig(_TrainingOptions):
    """Options of training all shipped models from scratch."""

    out: Path = Field(description="folder for the models, one folder each")
    ship: bool = Field(False, description="replace the shipped models if all meet their release criteria")
    margin: float = Field(0.02, gt=0, lt=1, description="mini-VQA accuracy by which mix may differ from base")
    floor_margin: float = Field(0.1, gt=0, lt=1, description="accuracy below which a model names nothing")


class ZooSeedsConfig(_TrainingOptions):
    """Options of training `2-way` with several seeds."""

    out: Path = Field(description="folder for the models, one folder per seed")
    count: int = Field(3, ge=1, le=1000, description="number of seeds, counted from 0")


class ZooTableConfig(Config):
    """Options of writing the table of the shipped models."""

    page: Path = Field(Path("docs/models.md"), description="Markdown file with the marks between which the table goes")
