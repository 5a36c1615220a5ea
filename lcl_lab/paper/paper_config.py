"""Options of the command that runs a table or figure of the paper."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from lcl_lab.config import MOST_QUERIES, Config

__all__ = ["PaperConfig"]


class PaperConfig(Config):
    """Run the systems of a table or figure of the paper and compare with the published numbers."""

    POSITIONAL: ClassVar[tuple[str, ...]] = ("item",)

    item: Literal["table1", "table2", "table3", "figure6", "figure7", "figure8"] = Field(
        description="table1, table2, table3, figure6, figure7 or figure8"
    )
    folder: Path = Field(Path("paper"), description="folder of the converted systems and the data")
    preset: Literal["default", "tiny", "paper"] = Field("default", description="preset of the study")
    queries: int | None = Field(
        None, ge=1, le=MOST_QUERIES, description="queries under each condition (default: the preset's)"
    )
    seed: int = Field(0, ge=0, description="random seed")
    batch_size: int = Field(32, ge=1, description="prompts per batch; does not change results")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field("auto", description="precision of the weights")
    results: Path = Field(Path("results"), description="folder of all runs")
