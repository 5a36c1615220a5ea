"""Options of the suite, and of a comparison of cards."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from lcl_lab.bench.suite import Preset
from lcl_lab.config import Config, KeyValues

__all__ = ["BenchConfig", "CompareConfig"]


class BenchConfig(Config):
    """One model, the data, and how much is evaluated. Everything else is fixed by the version of the suite."""

    model: str = Field(description="model: mini/NAME, heuristic/NAME, a folder, a hub id, openai:NAME, or NAME= before")
    preset: Preset = Field("default", description="how many queries: tiny, default or full")
    data: str = Field("world-100", description="dataset of all studies of episodes, as in every study")
    base_url: str | None = Field(None, description="server of openai:NAME, such as http://127.0.0.1:8000/v1")
    batch_size: int = Field(32, ge=1, description="prompts per batch; does not change results")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="precision of the weights, as in every study"
    )
    processor: KeyValues = Field({}, description="settings of the processor, such as max_pixels=200704")
    results: Path = Field(Path("results"), description="folder of all runs; cards are in its folder bench")


class CompareConfig(Config):
    """Cards, and the page that compares them."""

    POSITIONAL: ClassVar[tuple[str, ...]] = ("cards",)

    cards: tuple[Path, ...] = Field(min_length=1, description="result cards (JSON files) of `lcl bench run`")
    out: Path = Field(
        Path("leaderboard"), description="folder of the pages (index.html and one per card), or a Markdown file (.md)"
    )
