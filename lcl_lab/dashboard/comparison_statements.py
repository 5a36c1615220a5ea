"""What a comparison of sides says in sentences: which side is better, what flips, and which answers are left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from lcl_lab import analysis
from lcl_lab.dashboard.sides import REFERENCE
from lcl_lab.reporting import Statement

__all__ = ["SIGNIFICANT", "comparison_statements", "left_out_statements"]

SIGNIFICANT = 0.05
"""The level of all tests of a metric together."""
_UNDECIDED = "inconclusive"
_MOST_LISTED = 5  # conditions


def comparison_statements(differences: pd.DataFrame, labels: Mapping[str, str]) -> Iterator[Statement]:
    """The verdict on each side by each metric, and the answers that flip.

    Args:
        differences: one row per metric, condition and side, with a verdict.
        labels: the sides by letter.
    """
    for metric, rows in differences.groupby("metric", sort=False):
        for side, of_side in rows.groupby("side", sort=False):
            yield from _verdicts(str(metric), str(side), of_side, len(rows))
        yield from _flips(str(metric), rows)
    yield from _single_trainings(differences, labels)


def left_out_statements(left_out: pd.DataFrame) -> Iterator[Statement]:
    """How many answers are not compared, and why.

    Args:
        left_out: one row per metric, condition and side with answers that are not compared; may be empty.
    """
    for name, rows in left_out.groupby("metric", sort=False) if len(left_out) else ():
        yield from _not_compared(str(name), rows)


def _verdicts(metric: str, side: str, rows: pd.DataFrame, tests: int) -> Iterator[Statement]:
    """Where a side is better than the reference, and where it is worse; or that neither is shown."""
    for verdict, decided in (
        ("better", rows[(rows["verdict"] != _UNDECIDED) & (rows["estimate"] > 0)]),
        ("worse", rows[(rows["verdict"] != _UNDECIDED) & (rows["estimate"] < 0)]),
    ):
        if len(decided):
            template = (
                "{metric}: {model} is {verdict} than A under {conditions}; the clearest difference: {difference}."
            )
            values = {"verdict": verdict, "conditions": _listed(decided["condition"])}
            difference = _comparison(_clearest(decided), metric)
            yield Statement(template, {**values, "difference": difference}, metric, side, f"{verdict} than {REFERENCE}")
    if (rows["verdict"] == _UNDECIDED).all():
        yield _undecided(metric, side, rows, tests)


def _undecided(metric: str, side: str, rows: pd.DataFrame, tests: int) -> Statement:
    clearest = _clearest(rows)
    difference = _comparison(clearest, metric)
    template = (
        "{metric}: no difference of {model} remains significant after Holm's correction. The clearest, {difference} "
        "under {condition}, is inconclusive."
    )
    return Statement(
        template,
        {"difference": difference, "condition": clearest["condition"]},
        metric,
        side,
        verdict=_UNDECIDED,
        undecided=analysis.detectable(difference, level=SIGNIFICANT / tests),
        methods=["Holm's correction"],
    )


def _clearest(rows: pd.DataFrame) -> pd.Series:
    return rows.iloc[int(rows["p_value"].argmin())]


def _comparison(row: pd.Series, metric: str) -> analysis.Comparison:
    """A row of differences as a typed comparison."""
    return analysis.Comparison.from_row(
        row,
        estimand="difference",
        metric=metric,
        method=str(row["method"]),
        p_value=float(row["p_value"]),
        a={"side": REFERENCE},
        b={"side": row["side"]},
        value_a=float(row["accuracy of A"]),
        value_b=float(row["of the side"]),
        trainings=int(row["trainings"]),
    )


def _flips(metric: str, rows: pd.DataFrame) -> Iterator[Statement]:
    """The answers of single trainings that flip; a mean over trainings does not."""
    counted = rows[rows["trainings"] == 1]
    if len(counted):
        counts = {"flips": int(counted[["gains", "losses"]].sum().sum()), "n": int(counted["n"].sum())}
        yield Statement("{metric}: {flips:,} of {n:,} answers flip.", counts, metric)


def _not_compared(metric: str, left_out: pd.DataFrame) -> Iterator[Statement]:
    """How many answers are not compared, and why; one sentence for all sides with the same numbers."""
    reasons = {
        "without a value": "{unknown:,} have no log-likelihoods of names"
        if metric == "candidate"
        else "{unknown:,} are not known",
        "without a counterpart": "{unpaired:,} are to queries that the other side, or another training, lacks",
    }
    same: dict[tuple[int, int, int, str], list[str]] = {}
    for side, rows in left_out.groupby("side", sort=False):
        counts = [int(rows[column].sum()) for column in (*reasons, "answers")]
        same.setdefault((counts[0], counts[1], counts[2], _listed(rows["condition"])), []).append(str(side))
    for (unknown, unpaired, answers, conditions), sides in same.items():
        parts = " and ".join(
            reason for reason, count in zip(reasons.values(), (unknown, unpaired), strict=True) if count
        )
        each = "each of " if len(sides) > 1 else ""
        template = (
            f"{{metric}}: under {{conditions}}, {{left:,}} of {{answers:,}} answers of {each}{{sides}} are not "
            f"compared: {parts}."
        )
        values = {"left": unknown + unpaired, "unknown": unknown, "unpaired": unpaired, "answers": answers}
        yield Statement(template, {**values, "conditions": conditions, "sides": ", ".join(sides)}, metric)


def _listed(conditions: pd.Series) -> str:
    """The first conditions of a list; the table has all."""
    names = list(dict.fromkeys(conditions))
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return "; ".join(names[:_MOST_LISTED]) + more


def _single_trainings(differences: pd.DataFrame, labels: Mapping[str, str]) -> Iterator[Statement]:
    """That a difference of means over trainings from a single training is one of these checkpoints."""
    mixed = differences[(differences["trainings"] == 1) & (differences["trained"] > 1)]
    sides = [label for label in labels.values() if label in set(mixed["side"])]
    if sides:
        template = (
            "{sides}: one of the two compared sides has a single training, so the difference is tested over concept "
            "pairs only, and another training may differ."
        )
        yield Statement(template, {"sides": ", ".join(sides)}, undecided=analysis.SEVERAL_TRAININGS)
