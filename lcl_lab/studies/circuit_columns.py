"""Values of the condition columns of a study of attention heads, and the margin that it compares."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ABLATED",
    "ATTENTION",
    "INTACT",
    "PATCHED",
    "PLACES",
    "RANDOM",
    "RESIDUAL",
    "SOURCE",
    "TOP",
    "UNPATCHED",
    "margins",
    "snapshots",
    "step_of",
]

INTACT, ABLATED, TOP, RANDOM = "intact", "one head removed", "top heads removed", "random heads removed"
ATTENTION = "attention to a label"
SOURCE, UNPATCHED, PATCHED, RESIDUAL = "first token", "false labels, first token", "patched head", "patched tokens"
"""Values of the column `part`. The last four score the first token of a name only."""
PLACES = ("images", "labels", "query")
"""Values of the column `place`: tokens whose residual stream is patched."""


def margins(records: pd.DataFrame) -> pd.Series:
    """The log-likelihood per token of the true name minus that of the other name, in nats."""
    return records["loglik_true"] / records["tokens_true"] - records["loglik_other"] / records["tokens_other"]


def snapshots(training: Path | None) -> list[Path]:
    """The snapshots of a training, in the order of their steps; none without one."""
    return [] if training is None else sorted((training / "snapshots").glob("step-*"))


def step_of(model: str) -> int | None:
    """The number of steps of a snapshot; None for other models."""
    match = re.search(r"snapshots[/\\]step-(\d+)$", model)
    return int(match[1]) if match else None
