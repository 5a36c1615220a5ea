"""Comparisons that many studies make, each with a generator of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import pandas as pd

from lcl_lab.analysis import METRICS, PairedDifference, adjust, cell_rng, paired_difference
from lcl_lab.studies._findings import Table, interval, told_p

__all__ = ["answers", "asked_models", "change", "compared", "told_metrics"]


def asked_models(records: pd.DataFrame, models: Sequence[str]) -> list[str]:
    """The models that were asked for, each once; the reference is in the records besides."""
    return [model for model in dict.fromkeys(models) if (records["model"] == model).any()]


def answers(records: pd.DataFrame, models: Sequence[str]) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Every model that was asked, every metric that it has, and its records."""
    for model in asked_models(records, models):
        own = records[records["model"] == model]
        yield from ((model, metric, own) for metric in told_metrics(own))


def told_metrics(records: pd.DataFrame) -> Iterator[str]:
    """The metrics that these records have; a server tells no likelihoods."""
    yield from (metric for metric in ("candidate", "open-ended") if records[METRICS[metric]].notna().all())


def change(
    records: pd.DataFrame, metric: str, a: Mapping[str, Any], b: Mapping[str, Any], seed: int
) -> PairedDifference:
    """The accuracy under b minus that under a, on the same queries."""
    key = (metric, *map(str, a.items()), *map(str, b.items()))
    return paired_difference(records, METRICS[metric], a, b, cell_rng(seed, key))


def compared(
    records: pd.DataFrame, models: Sequence[str], conditions: Sequence[Mapping[str, Any]], metric: str, seed: int
) -> tuple[Table, pd.DataFrame]:
    """Every pair of two models or more under every condition, a family of tests: as a table, and their p-values."""
    tested = [
        (a, b, condition, change(records, metric, {"model": a, **condition}, {"model": b, **condition}, seed))
        for condition in conditions
        for a, b in combinations(models, 2)
    ]
    adjusted = adjust([found.p_value for *_, found in tested])
    rows = [
        {
            "comparison": f"{b} − {a}",
            "where": ", ".join(f"{name} {value}" for name, value in condition.items()),
            "difference": interval(found.estimate, found.low, found.high, sign=True),
            "gains, losses": f"{found.gains}, {found.losses}",
            "p": told_p(p),
            "Holm": told_p(holm),
            "Benjamini–Hochberg": told_p(bh),
        }
        for (a, b, condition, found), (p, holm, bh) in zip(tested, adjusted.to_numpy().tolist(), strict=True)
    ]
    told = (
        f"Paired differences, {metric}: 95 % intervals over concept pairs, McNemar's exact test over concept pairs, "
        f"and its p adjusted for the {len(rows)} tests"
    )
    return Table(told, pd.DataFrame(rows)), adjusted
