"""How sides differ from a reference on the same queries: accuracies, paired differences, tests, and what is left out.

Sides with several trainings each are compared over trainings and concept pairs. A difference from a side with a single
training is one of these checkpoints: it is tested over concept pairs and says nothing about another training.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcl_lab import analysis, figures
from lcl_lab.dashboard.comparison_statements import SIGNIFICANT, comparison_statements, left_out_statements
from lcl_lab.dashboard.sides import CONDITION, LETTER, REFERENCE
from lcl_lab.errors import UserError
from lcl_lab.reporting import Findings, Section, Statement, Table

__all__ = ["comparison_findings"]

_MOST_DRAWN = 30  # conditions
_QUERY = ["pair", "seed", "query_id"]
_OVER_TRAININGS = "crossed random effects of trainings and concept pairs, two sets of trainings"
_MEAN_OF_TRAININGS = "crossed random effects of seeds and concept pairs"
_BOOTSTRAP = "cluster bootstrap over concept pairs"


@dataclass(frozen=True)
class _Cell:
    """The outcomes of all sides under one condition by one metric.

    Attributes:
        metric: the metric.
        condition: the name of the condition.
        answers: the number of answers of each side, by its letter.
        outcomes: of each side, one row per query that all of its trainings have answered, and one column per training.
    """

    metric: str
    condition: str
    answers: Mapping[str, int]
    outcomes: Mapping[str, pd.DataFrame]

    def paired(self, letter: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The outcomes of the reference and of another side on the queries of both, in the same order."""
        a, b = self.outcomes[REFERENCE], self.outcomes[letter]
        both = a.index.intersection(b.index)
        return a.loc[both], b.loc[both]


def comparison_findings(records: pd.DataFrame, labels: Mapping[str, str], seed: int = 0) -> Findings:
    """Accuracy of every side and its difference from the reference under each condition, for every metric.

    Args:
        records: of `side_records`.
        labels: of `labels_of`; the first side is the reference.
        seed: of the intervals of accuracies.

    Returns:
        Sections whose tables, panels and statements carry their metric. P-values are adjusted within a metric. A second
        section counts the answers that are not compared, if there are any.

    Raises:
        UserError: the reference and the others have answered no query under the same condition.
    """
    cells = list(_cells(analysis.score_ties(records), labels))
    differences = analysis.concat_estimates([_with_verdicts(rows) for rows in _differences(cells, labels) if len(rows)])
    if differences.empty:
        raise UserError("no query has answers of A and of another side under the same condition")
    compared = [cell for cell in cells if cell.metric in set(differences["metric"])]
    accuracies = analysis.concat_estimates(list(_accuracies(compared, labels, seed)))
    left_out = pd.DataFrame(list(_left_out(compared, labels)))
    title = f"Differences from {labels[REFERENCE]}"
    tables = [
        _table(
            "Each side minus A on the same queries; p-values adjusted by Holm over all tests of a metric",
            differences,
            estimand="difference",
            signed=True,
        ),
        _table("Accuracy of each side on all of its queries", accuracies, estimand="accuracy"),
    ]
    statements = [*comparison_statements(differences, labels), *_say_not_drawn(differences)]
    sections = [Section(title, statements, _figure(accuracies, differences, labels), "compare", tables)]
    if len(left_out):
        counts = [Table("Answers that are not compared, by condition and side", left_out)]
        sections.append(Section("Answers that are not compared", list(left_out_statements(left_out)), tables=counts))
    return Findings(title, sections)


def _cells(records: pd.DataFrame, labels: Mapping[str, str]) -> Iterator[_Cell]:
    place: list[Hashable] = [CONDITION, LETTER]
    answers = records.groupby(place, observed=True).size().to_dict()
    for metric in analysis.MAIN_METRICS:
        column = analysis.METRICS[metric]
        known = records.loc[records[column].notna(), [*place, *_QUERY, "model", column]].astype({column: float})
        means = known.groupby([*place, *_QUERY, "model"], observed=True)[column].mean()
        found: dict[Any, pd.DataFrame] = {
            key: _by_training(rows.droplevel(place)) for key, rows in means.groupby(level=place, observed=True)
        }
        none = _by_training(means.iloc[:0].droplevel(place))
        for condition in records[CONDITION].cat.categories:
            yield _Cell(
                metric,
                condition,
                {letter: answers.get((condition, letter), 0) for letter in labels},
                {letter: found.get((condition, letter), none) for letter in labels},
            )


def _by_training(outcomes: pd.Series) -> pd.DataFrame:
    """One column per training, without the queries that one of them has not answered."""
    models = outcomes.index.get_level_values("model").unique()
    if len(models) < 2:
        return outcomes.droplevel("model").to_frame()
    return outcomes.unstack("model").dropna()


def _differences(cells: Sequence[_Cell], labels: Mapping[str, str]) -> Iterator[pd.DataFrame]:
    """By metric, one row per condition and side: the difference with its interval, its test, and both accuracies."""
    for metric in analysis.MAIN_METRICS:
        rows = [
            {"metric": metric, "condition": cell.condition, "side": label, **difference}
            for cell in cells
            for letter, label in labels.items()
            if cell.metric == metric and letter != REFERENCE and (difference := _difference(cell, letter))
        ]
        yield pd.DataFrame(rows)


def _difference(cell: _Cell, letter: str) -> dict[str, Any] | None:
    """A side minus the reference; None where they share no query."""
    a, b = cell.paired(letter)
    if a.empty:
        return None
    pairs = a.index.get_level_values("pair").to_numpy()
    trainings, trained = sorted((a.shape[1], b.shape[1]))
    if trainings > 1 and len(set(pairs)) > 1:
        over = analysis.difference_of_strategies(a.to_numpy().T, b.to_numpy().T, pairs)
        return {**_over_trainings(over), "trainings": trainings, "trained": trained, "method": _OVER_TRAININGS}
    before, after = (side.mean(axis=1).to_numpy() for side in (a, b))
    return {
        **_paired(before, after, pairs),
        "gains": int(((before == 0) & (after == 1)).sum()),
        "losses": int(((before == 1) & (after == 0)).sum()),
        "trainings": 1,
        "trained": trained,
        "method": analysis.PAIRED,
    }


def _paired(before: NDArray[np.float64], after: NDArray[np.float64], pairs: NDArray[np.object_]) -> dict[str, float]:
    """The difference in means on the same queries; for single trainings, that of `analysis.paired_difference`."""
    low, high = analysis.difference_interval(after - before, pairs)
    return {
        "estimate": float((after - before).mean()),
        "low": low,
        "high": high,
        "accuracy of A": float(before.mean()),
        "of the side": float(after.mean()),
        "n": len(before),
        "clusters": len(set(pairs)),
        "p_value": analysis.cluster_mcnemar(after - before, pairs),
    }


def _over_trainings(difference: analysis.StrategyDifference) -> dict[str, float]:
    return {
        "estimate": difference.estimate,
        "low": difference.low,
        "high": difference.high,
        "accuracy of A": difference.accuracy_a,
        "of the side": difference.accuracy_b,
        "n": difference.n,
        "clusters": difference.clusters,
        "p_value": difference.p_value,
    }


def _with_verdicts(differences: pd.DataFrame) -> pd.DataFrame:
    """The differences of one metric with Holm's p-values and verdicts."""
    holm = analysis.adjust(differences["p_value"].tolist())["holm"].to_numpy()
    better = differences["side"].str[0].where(differences["estimate"] > 0, REFERENCE) + " is better"
    flips = [name for name in ("gains", "losses") if name in differences]
    frame = differences.astype(dict.fromkeys(flips, "Int64"))
    frame.insert(3, "verdict", better.where(holm < SIGNIFICANT, "inconclusive"))
    frame.insert(list(frame.columns).index("high") + 1, "holm", holm)
    return frame


def _accuracies(cells: Sequence[_Cell], labels: Mapping[str, str], seed: int) -> Iterator[pd.DataFrame]:
    """By metric, each side's accuracy under each condition on its own queries; over trainings if it has several."""
    for metric in dict.fromkeys(cell.metric for cell in cells):
        outcomes = {
            (cell.condition, label): cell.outcomes[letter]
            for cell in cells
            for letter, label in labels.items()
            if cell.metric == metric and len(cell.outcomes[letter])
        }
        single = {key: answers for key, answers in outcomes.items() if not _is_sample(answers)}
        rows = [_mean_of_trainings(answers, *key) for key, answers in outcomes.items() if key not in single]
        frame = pd.concat([pd.DataFrame(rows), _single_accuracies(single, seed, metric)]).assign(metric=metric)
        yield frame.set_index(["condition", "side"]).loc[list(outcomes)].reset_index()


def _is_sample(outcomes: pd.DataFrame) -> bool:
    """Whether there are several trainings, and several concept pairs."""
    return outcomes.shape[1] > 1 and outcomes.index.get_level_values("pair").nunique() > 1


def _mean_of_trainings(outcomes: pd.DataFrame, condition: str, side: str) -> dict[str, Any]:
    by_pair = outcomes.groupby("pair").mean()
    over = analysis.seeds(by_pair.to_numpy().T)
    numbers = {"estimate": over.mean, "low": over.low, "high": over.high, "n": len(outcomes), "clusters": len(by_pair)}
    return {"condition": condition, "side": side, **numbers, "method": _MEAN_OF_TRAININGS}


def _single_accuracies(outcomes: Mapping[tuple[str, str], pd.DataFrame], seed: int, metric: str) -> pd.DataFrame:
    if not outcomes:
        return pd.DataFrame()
    means = {key: answers.mean(axis=1) for key, answers in outcomes.items()}
    frame = pd.concat(means, names=["condition", "side"]).rename("outcome").reset_index()
    estimates = analysis.accuracy(frame, ["condition", "side"], seed, {metric: "outcome"})
    names = ["condition", "side", "estimate", "low", "high", "n", "clusters"]
    return estimates[names].assign(method=_BOOTSTRAP)


def _left_out(cells: Sequence[_Cell], labels: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """The answers that are in no difference, and why."""
    for cell in cells:
        partners = [letter for letter in labels if letter != REFERENCE]
        sizes = {letter: tuple(side.size for side in cell.paired(letter)) for letter in partners}
        for letter, label in labels.items():
            compared = max(a for a, _ in sizes.values()) if letter == REFERENCE else sizes[letter][1]
            known = cell.outcomes[letter].size
            if compared < cell.answers[letter]:
                yield {
                    "metric": cell.metric,
                    "condition": cell.condition,
                    "side": label,
                    "answers": cell.answers[letter],
                    "without a value": cell.answers[letter] - known,
                    "without a counterpart": known - compared,
                }


def _clearest(differences: pd.DataFrame) -> pd.DataFrame:
    """The rows of one metric that fit into a figure: those of the conditions with the smallest p-values, in order."""
    smallest = differences.groupby("condition")["p_value"].min().sort_values(kind="stable")
    return differences[differences["condition"].isin(smallest.index[:_MOST_DRAWN])]


def _say_not_drawn(differences: pd.DataFrame) -> Iterator[Statement]:
    for metric, rows in differences.groupby("metric", sort=False):
        counts = {"drawn": _MOST_DRAWN, "conditions": rows["condition"].nunique()}
        if counts["conditions"] > _MOST_DRAWN:
            template = "{metric}: the figure shows the {drawn} clearest of {conditions} conditions; the table has all."
            yield Statement(template, counts, str(metric))


def _figure(accuracies: pd.DataFrame, differences: pd.DataFrame, labels: Mapping[str, str]) -> figures.Figure:
    """By metric, accuracies next to differences, in the same colours; one legend serves both."""
    panels: list[figures.Panel] = []
    for metric, rows in differences.groupby("metric", sort=False):
        drawn = _clearest(rows)
        of_metric = accuracies[accuracies["metric"] == metric]
        for shown, x_title, is_difference in (
            (of_metric[of_metric["condition"].isin(set(drawn["condition"]))], "Accuracy", False),
            (drawn, f"Difference from {REFERENCE}", True),
        ):
            figure = figures.ranked_figure(
                shown,
                "condition",
                "",
                x_title=x_title,
                group="side",
                group_title=None if is_difference else "Side, with 95 % interval",
                names=list(labels.values()),
                lines=list(labels.values()),
                domain=None if is_difference else (0.0, 1.0),
                guide=0.0 if is_difference else None,
            )
            panels += figure.panels
    return figures.Figure(tuple(panels), f"Differences from {labels[REFERENCE]}", spacing=30)


def _table(caption: str, frame: pd.DataFrame, **options: Any) -> Table:
    """A table whose method is a column only where rows differ in it."""
    methods = frame["method"].unique()
    same = [] if len(methods) > 1 else ["method"]
    counts = [name for name in ("trainings", "trained") if name in frame]
    return Table(caption, frame.drop(columns=[*same, *counts]), method=str(methods[0]), decimals=3, **options)
