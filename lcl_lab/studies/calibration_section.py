"""The section of a report about calibration: whether a model is right as often as it is confident."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lcl_lab import analysis, figures, reporting
from lcl_lab.studies import comparisons

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.reporting import Section

__all__ = ["calibration_section"]

_METHOD = "equal-mass bins, bias and interval by the test-inversion bootstrap over concept pairs"


def calibration_section(
    records: pd.DataFrame, models: Sequence[str], seed: int, place: str, **condition: Any
) -> Section | None:
    """Brier score, expected calibration error and reliability diagram of every model under one condition.

    Args:
        records: the records of the study.
        models: the models to report.
        seed: of the bootstrap.
        place: the condition in words, such as ``"at 16 shots"``.
        **condition: the column values that select it.

    Returns:
        The section; None where no model has log-likelihoods, or all records are of one concept pair.
    """
    results = {
        model: analysis.calibration(
            analysis.true_probability(rows), rows["pair"], analysis.cell_rng(seed, (model, "calibration", place))
        )
        for model, rows in comparisons.per_model(analysis.rows_of(records, condition), models)
        if _has_logliks(rows) and rows["pair"].nunique() > 1
    }
    if not results:
        return None
    labels = {"metric": "candidate", **condition}
    rows = [
        {
            "model": model,
            **labels,
            "estimate": result.ece,
            "low": result.ece_low,
            "high": result.ece_high,
            "brier": result.brier,
            "brier_low": result.brier_low,
            "brier_high": result.brier_high,
            "confidence": result.confidence,
            "accuracy": result.accuracy,
            "n": result.n,
            "clusters": result.clusters,
        }
        for model, result in results.items()
    ]
    caption = f"Calibration {place}, from total log-likelihoods; 95 % intervals over concept pairs"
    estimand = "expected calibration error"
    table = reporting.Table.from_rows(caption, rows, estimand=estimand, method=_METHOD, decimals=3)
    bins = analysis.concat_estimates([result.bins.assign(model=model, **labels) for model, result in results.items()])
    figure = figures.reliability_figure(bins, f"Accuracy against confidence {place}")
    return reporting.Section("Calibration", [], figure, "calibration", [table])


def _has_logliks(rows: pd.DataFrame) -> bool:
    return all(name in rows and rows[name].notna().all() for name in ("loglik_true", "loglik_other"))
