"""What the runs of a sweep say together: accuracy by strategy over training seeds, or by model and dataset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, combinations
from typing import TYPE_CHECKING, Any

from lcl_lab import analysis, figures, reporting
from lcl_lab.errors import UserError
from lcl_lab.studies import comparisons, trainings

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.analysis import Comparison
    from lcl_lab.figures import Figure
    from lcl_lab.reporting import Section, Statement, Table

__all__ = ["model_section", "strategy_section"]

_CONDITION = "condition"
_OF_MODELS = "Accuracy, with 95 % intervals over concept pairs"
_OVER_SEEDS = "crossed random effects of seeds and concept pairs"
_SIGNIFICANT = 0.05


def strategy_section(
    heading: str, records: pd.DataFrame, strategies: Mapping[str, Sequence[str]], seed: int, name: str
) -> Section:
    """Accuracy of each strategy under each condition of a study, and a test of every pair of strategies.

    Strategies with several trainings are a sample of trainings: their means have intervals for new seeds and new
    concept pairs, and they are compared with each other. Of a strategy with one training, the checkpoint is shown.

    Args:
        heading: of the section.
        records: the records of all trained models in one study.
        strategies: the models of each strategy, by its name.
        seed: of the intervals over concept pairs.
        name: stem of the figure's files.
    """
    complete = _with_conditions(records)
    present = {strategy: comparisons.evaluated_models(complete, among) for strategy, among in strategies.items()}
    known = {strategy: among for strategy, among in present.items() if among}
    several = complete["pair"].nunique() > 1
    repeated = {strategy: among for strategy, among in known.items() if len(among) > 1 and several}
    single = {strategy: among for strategy, among in known.items() if strategy not in repeated}
    tables, shown = [], []
    if repeated:
        means = _means(complete, repeated)
        caption = "Means over trainings, with 95 % intervals for new seeds and new concept pairs"
        tables.append(_table(caption, means, _OVER_SEEDS, "model", "metric"))
        shown.append(means)
    if single:
        rows = complete[complete["model"].isin(list(chain(*single.values())))]
        estimates = _accuracy(rows, ["model"], seed)
        tables.append(comparisons.accuracy_table(estimates, _CONDITION, _OF_MODELS, in_order=True))
        shown.append(estimates)
    compared = list(_comparisons(complete, repeated))
    statements = [statement for _, statement in compared]
    if single and len(known) > 1:
        statements.append(_undecided(list(single), bool(repeated)))
    figure = _figure(_frame(row for frame in shown for row in frame.to_dict("records")), heading) if shown else None
    return reporting.Section(heading, statements, figure, name, [*tables, *(table for table, _ in compared)])


def model_section(heading: str, records: pd.DataFrame, models: Sequence[str], seed: int, name: str) -> Section:
    """Accuracy of each model on each dataset under each condition of a study, over all study seeds.

    Args:
        heading: of the section.
        records: the records of all trials in one study; `data` may be any name of the dataset.
        models: the models to show, which leaves out those that a study adds as a reference.
        seed: of the intervals over concept pairs.
        name: stem of the figure's files.
    """
    complete = _with_conditions(records)
    estimates = _accuracy(complete[complete["model"].isin(list(models))], ["model", "data"], seed)
    table = _table(_OF_MODELS, estimates, comparisons.BOOTSTRAP, "model", "data", "metric")
    return reporting.Section(heading, figure=_figure(estimates, heading), name=name, tables=[table])


def _with_conditions(records: pd.DataFrame) -> pd.DataFrame:
    """The complete records, with one column that names their condition, whose values are in the order of the design."""
    _, named = comparisons.with_condition(analysis.score_ties(analysis.complete_queries(records)))
    order = list(dict.fromkeys(named[_CONDITION]))
    return named.assign(**{_CONDITION: _ordered(named[_CONDITION], order)})


def _ordered(values: pd.Series, order: Sequence[str]) -> pd.Series:
    return values.astype("category").cat.set_categories(order, ordered=True)


def _frame(rows: Iterable[Mapping[Any, object]]) -> pd.DataFrame:
    """The rows as a frame, without importing pandas here: the help of every study imports this module."""
    return reporting.Table.from_rows("", list(rows)).frame


def _accuracy(records: pd.DataFrame, by: Sequence[str], seed: int) -> pd.DataFrame:
    metrics = {metric: analysis.METRICS[metric] for metric in comparisons.metrics_in(records)}
    ordered = {name: _ordered(records[name], list(dict.fromkeys(records[name]))) for name in by}
    estimates = analysis.accuracy(records.assign(**ordered), [*by, _CONDITION], seed, metrics)
    return estimates.astype(dict.fromkeys([*by, _CONDITION], str))


def _table(caption: str, estimates: pd.DataFrame, method: str, *rows: str) -> Table:
    """A table with one row per value of the columns `rows`, and one column per condition."""
    return reporting.Table(
        caption, estimates, across=_CONDITION, rows=rows, estimand="accuracy", method=method, in_order=True
    )


def _means(records: pd.DataFrame, repeated: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """The mean of each strategy over its trainings under each condition by each metric."""
    rows = []
    for strategy, among in repeated.items():
        of_strategy = records[records["model"].isin(among)]
        for condition, answers in of_strategy.groupby(_CONDITION, observed=True):
            for metric in comparisons.metrics_in(answers):
                correct = answers.assign(correct=answers[analysis.METRICS[metric]].astype(float))
                accuracies = correct.pivot_table(index="model", columns="pair", values="correct").dropna(axis="columns")
                if min(accuracies.shape) < 2:
                    continue
                over_seeds = analysis.seeds(accuracies.to_numpy())
                rows.append(
                    {
                        "model": f"{strategy} ({len(among)} trainings)",
                        "metric": metric,
                        _CONDITION: str(condition),
                        "estimate": over_seeds.mean,
                        "low": over_seeds.low,
                        "high": over_seeds.high,
                        "n": len(answers),
                        "clusters": over_seeds.clusters,
                    }
                )
    return _frame(rows)


def _comparisons(records: pd.DataFrame, repeated: Mapping[str, Sequence[str]]) -> Iterator[tuple[Table, Statement]]:
    """Every pair of strategies under every condition, one family of tests per metric, with verdicts."""
    of_all = records[records["model"].isin(list(chain(*repeated.values())))].astype({_CONDITION: str})
    for metric in comparisons.metrics_in(of_all) if len(repeated) > 1 else ():
        tested: list[Comparison] = []
        rows = []
        for condition in dict.fromkeys(of_all[_CONDITION]):
            for (a, models_a), (b, models_b) in combinations(repeated.items(), 2):
                values = {_CONDITION: condition}
                tested.append(trainings.strategy_comparison(of_all, metric, (a, b), (models_a, models_b), **values))
                counts = f"{len(models_b)} and {len(models_a)}"
                rows.append({"comparison": f"{b} − {a}", **values, "trainings": counts})
        caption = (
            f"Differences between strategies, {metric}: 95 % intervals and t test over trainings and concept pairs"
        )
        table, statement = comparisons.family_of_tests(tested, rows, metric, "differences between strategies", caption)
        holm = zip(tested, table.frame["holm"], strict=True)
        verdicts = [_verdict(comparison, p_value) for comparison, p_value in holm]
        yield replace(table, frame=table.frame.assign(verdict=verdicts)), statement


def _verdict(comparison: Comparison, p_value: float) -> str:
    """Which strategy is better, if the difference remains after Holm's correction."""
    if p_value >= _SIGNIFICANT:
        return "inconclusive"
    better = comparison.b if comparison.value > 0 else comparison.a
    return f"{better['strategy']} is better"


def _undecided(single: Sequence[str], beside_others: bool) -> Statement:
    """No verdict on strategies with one training each."""
    verdict = reporting.ONE_TRAINING if beside_others else reporting.ONE_TRAINING_EACH
    template = (
        "Differences between the checkpoints of {strategies} may be due to their training seeds; on these strategies "
        "the verdict is: {verdict}."
    )
    values = {"strategies": ", ".join(f"`{name}`" for name in single), "verdict": verdict}
    return reporting.Statement(template, values, verdict=verdict, undecided=analysis.SEVERAL_TRAININGS)


def _figure(estimates: pd.DataFrame, title: str) -> Figure | None:
    """Accuracy by condition, one colour per model or strategy; None where there are more of them than colours."""
    try:
        return figures.dot_figure(estimates, _CONDITION, title, panel="data" if "data" in estimates else None)
    except UserError:
        return None
