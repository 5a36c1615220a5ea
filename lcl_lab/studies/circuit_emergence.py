"""When heads appear in a training: their effects and induction scores over its snapshots, beside accuracy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lcl_lab import figures, reporting
from lcl_lab.studies.circuit_columns import TOP, step_of
from lcl_lab.studies.circuit_effects import MEANS, METRIC, HeadEffects

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.reporting import Section, Statement

__all__ = ["emergence_section"]

_SHOWN = 4  # heads with the largest effects, and as many with the largest induction scores


def emergence_section(snapshots: Sequence[HeadEffects]) -> Iterator[Section]:
    """The section on a training; none without snapshots.

    Args:
        snapshots: the effects in each snapshot, whose heads are the same.
    """
    if not snapshots:
        return
    snapshots = sorted(snapshots, key=lambda model: step_of(model.name) or 0)
    rows = reporting.Table.from_rows("", [row for model in snapshots for row in _rows(model)]).frame
    last = rows[rows["steps"] == rows["steps"].max()]
    shown = {
        head
        for quantity in ("margin lost", "induction score")
        for head in last[last["quantity"] == quantity].nlargest(_SHOWN, "estimate")["head"]
    }
    chosen = rows[rows["head"].isin(shown) | (rows["quantity"] == "accuracy")]
    figure = figures.emergence_figure(chosen, "When heads appear in a training", metric=METRIC)
    tables = [_table(rows[rows["quantity"] == quantity], quantity) for quantity in rows["quantity"].unique()]
    yield reporting.Section("When heads appear", list(_statements(snapshots)), figure, "emergence", tables)


def _rows(model: HeadEffects) -> Iterator[dict[str, Any]]:
    steps = step_of(model.name)
    accuracy = model.accuracy(TOP, 0)
    assert accuracy is not None
    yield {
        "steps": steps,
        "quantity": "accuracy",
        "head": "all",
        "estimate": accuracy.value,
        "low": accuracy.low,
        "high": accuracy.high,
        "n": accuracy.n,
        "clusters": accuracy.clusters,
    }
    for quantity, means in (("margin lost", model.lost), ("induction score", model.induction)):
        for number, head in enumerate(model.heads):
            yield {
                "steps": steps,
                "quantity": quantity,
                "head": str(head),
                "estimate": means.estimate[number],
                "low": means.low[number],
                "high": means.high[number],
                "n": means.n,
                "clusters": means.clusters,
            }


def _table(rows: pd.DataFrame, quantity: str) -> reporting.Table:
    return reporting.Table(
        f"Snapshots of the training: {quantity}",
        rows.drop(columns="quantity"),
        across="head",
        rows=("steps",),
        metric=METRIC,
        estimand=quantity,
        method=MEANS,
        in_order=True,
    )


def _statements(snapshots: Sequence[HeadEffects]) -> Iterator[Statement]:
    """The first snapshots in which accuracy is above chance, and in which a head attends to the right labels."""
    following = next((model for model in snapshots if not model.follows_nothing), None)
    attending = next((model for model in snapshots if (model.induction.low > 0).any()), None)
    if following is not None:
        values = {"steps": step_of(following.name), "accuracy": following.accuracy(TOP, 0)}
        yield reporting.Statement("Accuracy is above chance from step {steps} on: {accuracy:2}.", values, METRIC)
    else:
        yield reporting.Statement("Accuracy is above chance in no snapshot.", {}, METRIC)
    if attending is not None:
        head, score = attending.largest(attending.induction, "induction score")
        found = {"steps": step_of(attending.name), "head": head, "score": score}
        template = "From step {steps} on a head attends more to labels of the query's concept: {head}, by {score:2}."
        yield reporting.Statement(template, found, METRIC)
    else:
        template = "In no snapshot does a head clearly attend more to labels of the query's concept than to the others."
        yield reporting.Statement(template, {}, METRIC)
