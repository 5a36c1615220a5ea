"""The section of a report about sources of variance, and about what would halve the interval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lcl_lab import analysis, reporting
from lcl_lab.errors import UserError
from lcl_lab.studies import comparisons

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.analysis import VarianceShares
    from lcl_lab.analysis.shares_of_variance import Factor
    from lcl_lab.reporting import Section, Statement

__all__ = ["OutcomeVariance", "outcome_change", "outcome_variance", "variance_section"]

_METHOD = "variance components of nested pairs, queries and draws, crossed with trainings; Williams' intervals"
_UNITS: Mapping[Factor, str] = {
    "pairs": "concept pairs",
    "queries": "queries per pair",
    "draws": "supports per query",
    "trainings": "trainings",
}


@dataclass(frozen=True)
class OutcomeVariance:
    """The sources of variance of one outcome.

    Attributes:
        of: the model or the strategy.
        metric: the metric of the outcome.
        outcome: what varies, such as ``"accuracy at 16 shots"``.
        shares: the components.
        n: number of answers, or of differences between two answers.
    """

    of: str
    metric: str
    outcome: str
    shares: VarianceShares
    n: int


def outcome_variance(
    rows: pd.DataFrame,
    column: str,
    of: str,
    metric: str,
    outcome: str,
    draw: str | None = None,
    training: str | None = None,
) -> OutcomeVariance | None:
    """The sources of variance of an outcome, from the queries with an answer of every training with every draw.

    Args:
        rows: the records of one model, or of trainings of one strategy, under one condition.
        column: the outcome.
        of: the model or the strategy.
        metric: the metric of the outcome.
        outcome: the outcome in words.
        draw: the column that numbers supports.
        training: the column that tells trainings apart.

    Returns:
        The components; None with fewer than two concept pairs.
    """
    query = comparisons.query_columns(rows)
    answers = rows.groupby(["pair", *query])[column].transform("size")
    complete = rows[answers == answers.max()]
    if complete["pair"].nunique() < 2:
        return None
    shares = analysis.variance_shares(complete, column, query=query, draw=draw, training=training)
    return OutcomeVariance(of, metric, outcome, shares, len(complete))


def outcome_change(rows: pd.DataFrame, column: str, condition: str, first: float, last: float) -> pd.DataFrame:
    """The paired change of an outcome in a column ``change``: one row per query of one model.

    Args:
        rows: the records of one model.
        column: the outcome.
        condition: the column that differs between both ends of the change.
        first: its value before.
        last: its value after.
    """
    query = comparisons.query_columns(rows)
    ends = analysis.select_rows(rows[["pair", *query, condition, column]], rows[condition].isin([first, last]))
    wide = ends.pivot(index=["pair", *query], columns=condition, values=column).astype(float)
    return (wide[last] - wide[first]).rename("change").dropna().reset_index()


def variance_section(variances: Sequence[OutcomeVariance | None]) -> Section | None:
    """Components of variance, what halves the interval, and which sources the design does not show.

    Args:
        variances: the outcomes to report; None where one has no components.

    Returns:
        The section; None without any components.
    """
    known = [variance for variance in variances if variance is not None]
    if not known:
        return None
    table = reporting.Table.from_rows(
        "Standard deviation that each source contributes to an outcome, with 95 % intervals, and its share of variance",
        [row for variance in known for row in _rows(variance)],
        estimand="standard deviation",
        method=_METHOD,
        decimals=3,
    )
    statements = [*map(_advice, known), *_not_estimable(known)]
    return reporting.Section("Sources of variance", statements, name="variance", tables=[table])


def _rows(variance: OutcomeVariance) -> Iterator[dict[str, Any]]:
    for component in variance.shares.components:
        yield {
            "model": variance.of,
            "metric": variance.metric,
            "outcome": variance.outcome,
            "source": component.source,
            "share": component.share,
            "estimate": component.variance**0.5,
            "low": component.low**0.5,
            "high": component.high**0.5,
            "n": variance.n,
            "clusters": variance.shares.size.pairs,
        }


def _advice(variance: OutcomeVariance) -> Statement:
    """What halves the interval of the outcome's mean."""
    shares, template = variance.shares, "{model}, {metric}, {outcome}: "
    values: dict[str, Any] = {"outcome": variance.outcome, "reach": shares.half_width}
    try:
        halving = shares.halving()
    except UserError as error:
        return reporting.Statement(
            f"{template}{{reason}}.", {**values, "reason": str(error)}, variance.metric, variance.of
        )
    for factor in halving.alone:
        values[f"{factor}_now"] = getattr(shares.size, factor)
    enough: dict[str, int] = {factor: count for factor, count in halving.alone.items() if count is not None}
    values.update(enough)
    template += "if the components are as estimated, the interval of about ±{reach:.3f} is halved by "
    if enough:
        template += " or ".join(_larger(factor) for factor in halving.alone if factor in enough)
    elif halving.together is not None:
        values |= {"pairs": halving.together.pairs, "trainings": halving.together.trainings}
        template += f"{_larger('pairs')} and {_larger('trainings')} together"
    else:
        template += "more than 1,000 times as many concept pairs and trainings"
    short = [_UNITS[factor] for factor in halving.alone if factor not in enough]
    template += f"; more {' or '.join(short)} alone cannot" if short else ""
    return reporting.Statement(f"{template}.", values, variance.metric, variance.of)


def _larger(factor: Factor) -> str:
    now = "{queries_now:.3g}" if factor == "queries" else f"{{{factor}_now}}"
    return f"{{{factor}:,}} {_UNITS[factor]} instead of {now}"


def _not_estimable(variances: Sequence[OutcomeVariance]) -> Iterator[Statement]:
    """The sources that the designs do not show, once each."""
    reasons = dict.fromkeys(
        f"{source} ({reason})" for variance in variances for source, reason in variance.shares.not_estimable.items()
    )
    if reasons:
        template = "Not estimable from this design: {reasons}."
        yield reporting.Statement(template, {"reasons": "; ".join(reasons)})
