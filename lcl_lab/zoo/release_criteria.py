"""The criteria that a model must meet to be shipped, and whether it meets them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lcl_lab import analysis, reporting
from lcl_lab.analysis.detection import Detectable
from lcl_lab.analysis.estimates import Estimate

__all__ = ["LINK_MODELS", "ZOO", "CriterionResult", "check_criteria"]

ZOO = ("prototype", "base", "2-way", "2-way-random", "2-way-weight", "mix", "in-context")
"""The shipped models, each after the one that it starts from."""
LINK_MODELS = ("2-way", "2-way-random", "2-way-weight", "mix")
_LEVEL = 0.90  # of the interval that must lie within the margin, so that each side is tested at 5 %
_Limit = tuple[str, str, int, float, str, float, float]
# Model, dataset, shots, false ratio, metric, minimum, maximum.
_TARGETS: tuple[_Limit, ...] = (
    ("2-way", "world-100", 16, 0.0, "correct_candidate", 0.95, 1),
    ("2-way", "world-100", 16, 0.0, "correct_open", 0.93, 1),
    ("2-way", "isekai-mini", 16, 0.0, "correct_candidate", 0.90, 1),
    ("2-way", "world-100", 16, 1.0, "correct_candidate", 0, 0.03),
)
_REQUIRED: tuple[_Limit, ...] = (
    ("2-way", "isekai-mini", 16, 0.0, "correct_candidate", 0.85, 1),
    *((model, "world-100", 8, 0.0, "correct_candidate", 0.90, 1) for model in LINK_MODELS),
    *((model, "world-100", 16, 1.0, "correct_candidate", 0, 0.10) for model in LINK_MODELS),
    ("in-context", "world-100", 16, 1.0, "correct_candidate", 0.30, 1),
)


@dataclass(frozen=True)
class CriterionResult:
    """One criterion and what was measured.

    Attributes:
        model: the model.
        criterion: the limit in words.
        measured: the accuracy, or the estimate that was tested.
        met: whether the criterion is met.
        required: whether no model is shipped if one does not meet it; otherwise it is a target.
        undecided: of an estimate that neither meets nor violates the criterion, what would decide.
    """

    model: str
    criterion: str
    measured: float | Estimate
    met: bool
    required: bool
    undecided: Detectable | None = None

    @property
    def text(self) -> str:
        """What was measured, as text."""
        if isinstance(self.measured, Estimate):
            text = reporting.format_estimate(self.measured)
            return f"{text}; {reporting.format_detectable(self.undecided)}" if self.undecided else text
        return reporting.format_number(self.measured, ".3f")


def check_criteria(
    records: pd.DataFrame, questions: pd.DataFrame, names: Sequence[str], margin: float = 0.02
) -> list[CriterionResult]:
    """Check every target and requirement of some models.

    Args:
        records: records of episodes, as `evaluate_zoo` returns them.
        questions: records of mini-VQA.
        names: the models.
        margin: mini-VQA accuracy by which `mix` may differ from `base`.
    """
    return [*_accuracies(records, names), *_equivalences(questions, names, margin)]


def _accuracies(records: pd.DataFrame, names: Sequence[str]) -> Iterator[CriterionResult]:
    keys = ["model", "data", "shots", "false_ratio"]
    cells = records.groupby(keys)[["correct_candidate", "correct_open"]].mean()
    means: dict[Any, Any] = dict(cells.to_dict(orient="index"))
    for limit in (*_TARGETS, *_REQUIRED):
        model, data, shots, ratio, column, minimum, maximum = limit
        if model in names and (model, data, shots, ratio) in means:
            value = means[model, data, shots, ratio][column]
            metric = "candidate" if column == "correct_candidate" else "open-ended"
            labels = ", all labels false" if ratio else ""
            bound = f"≤ {maximum:.2f}" if minimum == 0 else f"≥ {minimum:.2f}"
            criterion = f"{data}, {shots} shots{labels}, {metric} {bound}"
            yield CriterionResult(model, criterion, value, bool(minimum <= value <= maximum), limit in _REQUIRED)


def _equivalences(questions: pd.DataFrame, names: Sequence[str], margin: float) -> Iterator[CriterionResult]:
    if {"mix", "base"} <= set(names):
        wide = questions.pivot(index=["pair", "query_id"], columns="model", values="correct_open").astype(float)
        difference = (wide["mix"] - wide["base"]).to_numpy()
        # Of the embedded world: how far harm to other concepts can be excluded does not matter here.
        low, high = analysis.difference_interval(difference, wide.index.get_level_values("pair"), _LEVEL)
        measured = Estimate(
            value=float(difference.mean()),
            low=low,
            high=high,
            n=len(wide),
            clusters=wide.index.get_level_values("pair").nunique(),
            estimand="change in accuracy",
            method="paired difference, sign-flip interval over concept pairs",
            confidence=_LEVEL,
            signed=True,
        )
        criterion = f"mini-VQA within ±{margin:g} of base (90 % interval)"
        met = low > -margin and high < margin
        open_ends = [bound for bound in (-margin, margin) if low <= bound <= high]
        undecided = analysis.detectable(measured, open_ends) if open_ends else None
        yield CriterionResult("mix", criterion, measured, met, True, undecided)
