"""What a model of the zoo must reach to be shipped, and whether it does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lcl_lab.analysis import equivalence

__all__ = ["LINK_MODELS", "ZOO", "Verdict", "judge"]

ZOO = ("prototype", "base", "2-way", "2-way-random", "2-way-weight", "mix", "in-context")
"""The shipped models, each after the one that it starts from."""
LINK_MODELS = ("2-way", "2-way-random", "2-way-weight", "mix")
_MARGIN = 0.02  # of mini-VQA accuracy that `mix` may differ from `base`
_Limit = tuple[str, str, int, float, str, float, float]
# Model, dataset, shots, false ratio, metric, least, most.
_TARGETS: tuple[_Limit, ...] = (
    ("2-way", "world-100", 16, 0.0, "correct_candidate", 0.95, 1),
    ("2-way", "world-100", 16, 0.0, "correct_open", 0.93, 1),
    ("2-way", "isekai-mini", 16, 0.0, "correct_candidate", 0.90, 1),
    ("2-way", "world-100", 16, 1.0, "correct_candidate", 0, 0.03),
)
_BARS: tuple[_Limit, ...] = (
    ("2-way", "isekai-mini", 16, 0.0, "correct_candidate", 0.85, 1),
    *((model, "world-100", 8, 0.0, "correct_candidate", 0.90, 1) for model in LINK_MODELS),
    *((model, "world-100", 16, 1.0, "correct_candidate", 0, 0.10) for model in LINK_MODELS),
    ("in-context", "world-100", 16, 1.0, "correct_candidate", 0.30, 1),
)


@dataclass(frozen=True)
class Verdict:
    """One limit: what was measured, and whether it is enough. What misses a bar is not shipped; a target is a goal."""

    model: str
    limit: str
    measured: str
    holds: bool
    bar: bool


def judge(episodes: pd.DataFrame, questions: pd.DataFrame, names: Sequence[str]) -> list[Verdict]:
    """Every target and bar of the models `names`, on what `measure` returned for `mini/…` or folders of these names."""
    return [*_accuracies(episodes, names), *_equivalences(questions, names)]


def _accuracies(episodes: pd.DataFrame, names: Sequence[str]) -> Iterator[Verdict]:
    keys = ["model", "data", "shots", "false_ratio"]
    cells = episodes.groupby(keys)[["correct_candidate", "correct_open"]].mean()
    means: dict[Any, Any] = dict(cells.to_dict(orient="index"))
    for limit in (*_TARGETS, *_BARS):
        model, data, shots, ratio, metric, least, most = limit
        if model in names and (model, data, shots, ratio) in means:
            value = means[model, data, shots, ratio][metric]
            word = "candidate" if metric == "correct_candidate" else "open-ended"
            false = ", all labels false" if ratio else ""
            bound = f"≤ {most:.2f}" if least == 0 else f"≥ {least:.2f}"
            told = f"{data}, {shots} shots{false}, {word} {bound}"
            yield Verdict(model, told, f"{value:.3f}", bool(least <= value <= most), limit in _BARS)


def _equivalences(questions: pd.DataFrame, names: Sequence[str]) -> Iterator[Verdict]:
    if {"mix", "base"} <= set(names):
        wide = questions.pivot(index=["pair", "query_id"], columns="model", values="correct").astype(float)
        found = equivalence(
            (wide["mix"] - wide["base"]).to_numpy(), np.asarray(wide.index.get_level_values("pair")), _MARGIN
        )
        measured = f"{found.estimate:+.3f} [{found.low:+.3f}, {found.high:+.3f}], p = {found.p_value:.4f}"
        yield Verdict("mix", f"mini-VQA within ±{_MARGIN} of base, p < 0.05", measured, found.p_value < 0.05, bar=True)
