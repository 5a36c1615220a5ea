"""Differences from the reference by concept pair: where another side is better, and where it is worse."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from lcl_lab import analysis, figures
from lcl_lab.dashboard.sides import CONDITION, LETTER, REFERENCE
from lcl_lab.errors import UserError
from lcl_lab.reporting import Findings, Section, Statement, Table

__all__ = ["pair_findings"]

_MOST_DRAWN = 15  # pairs
_ANSWER = ["pair", "seed", "query_id", CONDITION]


def pair_findings(records: pd.DataFrame, labels: Mapping[str, str], metric: str) -> Findings:
    """The difference of each side from the reference on the queries of each concept pair, without tests.

    Args:
        records: of `side_records`.
        labels: of `labels_of`; the first side is the reference.
        metric: a key of `analysis.METRICS`.

    Raises:
        UserError: the sides have no answers to the same queries by this metric.
    """
    column = analysis.METRICS[metric]
    scored = analysis.score_ties(records)
    known = scored[scored[column].notna()].astype({column: float})
    means = known.groupby([*_ANSWER, LETTER], observed=True)[column].mean().unstack(LETTER)
    frames = [_of_side(means, letter, label) for letter, label in labels.items() if letter != REFERENCE]
    frame = analysis.concat_estimates([rows for rows in frames if len(rows)])
    if frame.empty:
        raise UserError(f"the sides have no answers to the same queries by {metric}")
    frame.insert(0, "metric", metric)
    largest = frame["estimate"].abs().groupby(frame["pair"]).max().sort_values(ascending=False, kind="stable")
    frame = frame.set_index("pair").loc[largest.index].reset_index()[list(frame.columns)]
    drawn = largest.index[:_MOST_DRAWN]
    shown = frame[frame["pair"].isin(drawn)]
    title = f"Differences from {labels[REFERENCE]} by concept pair"
    figure = figures.ranked_figure(
        shown.drop(columns="metric"),
        "pair",
        title,
        x_title=f"Difference from {REFERENCE}",
        group="side",
        group_title="Side",
        names=list(labels.values()),
        guide=0.0,
    )
    caption = "Each side minus A by concept pair, the largest differences first"
    table = Table(caption, frame.rename(columns={"estimate": "difference"}), metric=metric)
    statements = [_say(str(side), rows, metric) for side, rows in frame.groupby("side", sort=False)]
    if len(largest) > len(drawn):
        template = "The figure shows the {drawn} of {pairs} pairs that differ most; the table has all."
        statements.append(Statement(template, {"drawn": len(drawn), "pairs": len(largest)}))
    return Findings(title, [Section(title, statements, figure, "pairs", [table])])


def _of_side(means: pd.DataFrame, letter: str, label: str) -> pd.DataFrame:
    if not {REFERENCE, letter} <= set(means.columns):
        return pd.DataFrame()
    both = means[[REFERENCE, letter]].dropna()
    by_pair = both.groupby("pair")
    frame = by_pair.mean().set_axis(["accuracy of A", "of the side"], axis="columns")
    frame.insert(0, "estimate", frame["of the side"] - frame["accuracy of A"])
    frame["differ"] = (both[REFERENCE] != both[letter]).groupby("pair").sum()
    return frame.assign(side=label, n=by_pair.size()).reset_index()


def _say(side: str, rows: pd.DataFrame, metric: str) -> Statement:
    template = (
        "{metric}: {side} is more accurate than A on {better} of {pairs} pairs, less on {worse}, and equal on {same}. "
        "No single pair is tested."
    )
    better, worse = int((rows["estimate"] > 0).sum()), int((rows["estimate"] < 0).sum())
    counts = {"better": better, "worse": worse, "same": len(rows) - better - worse, "pairs": len(rows)}
    return Statement(template, {"side": side, **counts}, metric)
