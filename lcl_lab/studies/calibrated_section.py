"""The section of a report about choices between candidates after calibration, next to those without."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from lcl_lab import analysis, reporting
from lcl_lab.studies import comparisons

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.analysis import Comparison
    from lcl_lab.reporting import Findings, Statement

__all__ = ["with_calibrated_choices"]

_METHOD = "choice between candidates after calibration"
_PLAIN = "candidate"


def with_calibrated_choices(findings: Findings, records: pd.DataFrame, seed: int) -> Findings:
    """Findings with a last section about calibrated choices, where the records have what it takes.

    Args:
        findings: what a study found.
        records: the records that they are from.
        seed: of the bootstrap.
    """
    is_calibrated = records["loglik_true_grey"].notna() if "loglik_true_grey" in records else None
    if is_calibrated is None or not is_calibrated.any():  # no other run has log-likelihoods without content
        return findings
    calibrated = records[is_calibrated]
    across, named = comparisons.with_condition(calibrated)
    scored = analysis.calibrated_choices(named, [across])
    columns = {_PLAIN: analysis.METRICS[_PLAIN], **analysis.CALIBRATED_METRICS}
    accuracies = analysis.accuracy(scored, ["model", across], seed, columns)
    in_order = accuracies.set_index(across).loc[named[across].unique()].reset_index()
    caption = "Accuracy before and after calibration, with 95 % intervals over concept pairs"
    table = comparisons.accuracy_table(in_order.sort_values("model", kind="stable"), across, caption, in_order=True)
    section = reporting.Section(
        "Calibrated choices between candidates",
        list(_statements(scored, records["model"].value_counts().to_dict())),
        name="calibrated",
        tables=[table],
    )
    return replace(findings, sections=[*findings.sections, section])


def _statements(scored: pd.DataFrame, answers: Mapping[Hashable, int]) -> Iterator[Statement]:
    """The change that each calibration makes to the accuracy of each model, over all conditions.

    Args:
        scored: the records with calibrated choices.
        answers: the number of all records of each model, some of which may have more than two candidates.
    """
    template = (
        "{model}: accuracy is {change.value_b:.3f} by {calibrated} and {change.value_a:.3f} by candidate{share}; "
        "change {change}, {change:p}."
    )
    for model, rows in scored.groupby("model", sort=False):
        for metric, column in analysis.CALIBRATED_METRICS.items():
            known = rows[rows[column].notna()]
            if known.empty:
                yield reporting.Statement(
                    "{model}: no record has {calibrated}.", {"calibrated": metric}, _PLAIN, str(model)
                )
                continue
            has_all = len(known) == answers[model]
            share = "" if has_all else f" on the {len(known)} of {answers[model]} answers that have both"
            values = {"calibrated": metric, "change": _change(known, str(model), metric), "share": share}
            yield reporting.Statement(template, values, _PLAIN, str(model), methods=[_METHOD])


def _change(rows: pd.DataFrame, model: str, metric: str) -> Comparison:
    """The accuracy after a calibration minus that before, on the same answers."""
    before, after = (
        rows[column].to_numpy(dtype=float) for column in (analysis.METRICS[_PLAIN], analysis.CALIBRATED_METRICS[metric])
    )
    difference = after - before
    low, high = analysis.difference_interval(difference, rows["pair"])
    return analysis.Comparison(
        value=float(difference.mean()),
        low=low,
        high=high,
        n=len(rows),
        clusters=rows["pair"].nunique(),
        estimand="change in accuracy",
        metric=metric,
        model=model,
        method=analysis.PAIRED,
        p_value=analysis.cluster_mcnemar(difference, rows["pair"]),
        a={"metric": _PLAIN},
        b={"metric": metric},
        value_a=float(before.mean()),
        value_b=float(after.mean()),
        gains=int((difference > 0).sum()),
        losses=int((difference < 0).sum()),
    )
