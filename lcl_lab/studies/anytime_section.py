"""Paired differences with intervals that hold however often one looks while concept pairs are added."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lcl_lab import analysis, reporting

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.analysis import Comparison
    from lcl_lab.reporting import Findings

__all__ = ["with_anytime_intervals"]

_METHOD = "betting confidence sequence over concept pairs"


def with_anytime_intervals(findings: Findings, records: pd.DataFrame) -> Findings:
    """Findings with a last section that gives every paired difference a confidence sequence.

    Args:
        findings: what a study found; its comparisons of two sides on the same queries are taken.
        records: the records that they are from.
    """
    rows = [_row(comparison, records) for comparison in _comparisons(findings)]
    if not rows:
        return findings
    decided = sum(row["low"] > 0 or row["high"] < 0 for row in rows)
    statement = reporting.Statement(
        "{decided} of {differences} paired differences exclude 0. Their intervals hold at all numbers of concept pairs "
        "together, so you may look at any time and add pairs where the result is inconclusive. Each pair counts as one "
        "value; more queries about the same pairs are a new look.",
        {"decided": decided, "differences": len(rows)},
    )
    table = reporting.Table.from_rows(
        "Paired differences, the mean over concept pairs, with 95 % confidence sequences",
        rows,
        estimand="difference at any time",
        method=_METHOD,
        decimals=3,
        signed=True,
    )
    section = reporting.Section("Valid at any time", [statement], name="anytime", tables=[table])
    return replace(findings, sections=[*findings.sections, section])


def _comparisons(findings: Findings) -> Iterator[Comparison]:
    """The paired differences of statements and claims, each once."""
    mentioned = [value for section in findings.sections for one in section.statements for value in one.estimates]
    mentioned += [claim.estimate for claim in findings.claims if claim.estimate]
    listed = set()
    for value in mentioned:
        if isinstance(value, analysis.Comparison) and value.method == analysis.PAIRED and value.trainings == 1:
            key = (value.model, value.metric, str(value.condition), str(value.a), str(value.b))
            if key not in listed:
                listed.add(key)
                yield value


def _row(comparison: Comparison, records: pd.DataFrame) -> dict[str, Any]:
    metric = str(comparison.metric)
    shared: dict[str, Any] = dict(comparison.condition)
    if comparison.model is not None:
        shared["model"] = comparison.model
    for name, value in shared.items():
        records = records[records[name] == value]
    order = ["query_id"]
    before, after, pairs = analysis.paired_values(records, analysis.METRICS[metric], comparison.a, comparison.b, order)
    # Queries are in the order of their ids, in which pairs were drawn.
    sequence = analysis.confidence_sequence(after - before, pairs, range(len(pairs)), (-1.0, 1.0))
    shared.pop("model", None)
    return {
        "model": comparison.model or "",
        "metric": metric,
        "from": _side(shared | dict(comparison.a)),
        "to": _side(shared | dict(comparison.b)),
        "estimate": sequence.estimate,
        "low": sequence.low,
        "high": sequence.high,
        "n": sequence.n,
        "clusters": sequence.clusters,
    }


def _side(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {reporting.format_value(value)}" for name, value in values.items())
