"""What many studies estimate: accuracies, changes between conditions, and comparisons of models.

Each estimate draws from a generator of its own, seeded by the study seed and what is estimated, so that other rows do
not move it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

from lcl_lab import analysis, reporting, store

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.analysis import Comparison, Estimate, OddsRatio
    from lcl_lab.reporting import Findings, Statement, Table
    from lcl_lab.studies.study_config import StudyConfig

__all__ = [
    "accuracy_estimate",
    "accuracy_findings",
    "accuracy_table",
    "change",
    "evaluated_models",
    "family_of_tests",
    "metrics_in",
    "odds_ratio",
    "pairwise_comparisons",
    "per_model",
    "per_model_and_metric",
    "query_columns",
    "with_condition",
]

BOOTSTRAP = "cluster bootstrap over concept pairs"
_WILSON = "Wilson's interval of independent queries"
_CORRECTIONS = ("Holm's correction", "Benjamini and Hochberg's correction")


def evaluated_models(records: pd.DataFrame, models: Sequence[str]) -> list[str]:
    """Those of `models` that have records, each once; the reference is in the records in addition."""
    present = set(records["model"].unique())
    return [model for model in dict.fromkeys(models) if model in present]


def metrics_in(records: pd.DataFrame) -> list[str]:
    """The main metrics that every record has; answers of servers have no log-likelihoods."""
    return [metric for metric in analysis.MAIN_METRICS if records[analysis.METRICS[metric]].notna().all()]


def per_model(records: pd.DataFrame, models: Sequence[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    """Each evaluated model and its records."""
    for model in evaluated_models(records, models):
        yield model, analysis.rows_of(records, {"model": model})


def per_model_and_metric(records: pd.DataFrame, models: Sequence[str]) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Each evaluated model, each main metric that its records have, and its records."""
    for model, rows in per_model(records, models):
        yield from ((model, metric, rows) for metric in metrics_in(rows))


def query_columns(records: pd.DataFrame) -> list[str]:
    """The columns that tell the queries of records apart: `query_id`, and data and seed where there are several."""
    return [*(name for name in ("data", "seed") if name in records and records[name].nunique() > 1), "query_id"]


def accuracy_estimate(
    records: pd.DataFrame, metric: str, seed: int, model: str | None = None, **condition: Any
) -> Estimate:
    """The accuracy of all records of a frame, with the interval over concept pairs."""
    row = analysis.accuracy(records, [], seed, {metric: analysis.METRICS[metric]}).iloc[0]
    return analysis.Estimate.from_row(
        row,
        estimand="accuracy",
        metric=metric,
        model=model,
        condition=condition,
        method=BOOTSTRAP,
    )


def change(
    records: pd.DataFrame,
    metric: str,
    a: Mapping[str, Any],
    b: Mapping[str, Any],
    model: str | None = None,
    on: Sequence[str] = ("query_id",),
    **condition: Any,
) -> Comparison:
    """The accuracy under `b` minus that under `a`, on the same queries.

    Args:
        records: records that contain both sides.
        metric: a key of `analysis.METRICS`.
        a: column values that select one side.
        b: column values that select the other side.
        model: the model, if both sides are of one.
        on: the columns that identify a query.
        **condition: the condition that both sides share.

    Raises:
        UserError: a side has no records, or the queries cannot be paired.
    """
    difference = analysis.paired_difference(records, analysis.METRICS[metric], a, b, on=on)
    return analysis.Comparison.from_difference(difference, metric=metric, model=model, condition=condition, a=a, b=b)


def odds_ratio(
    records: pd.DataFrame,
    metric: str,
    a: Mapping[str, Any],
    b: Mapping[str, Any],
    model: str | None = None,
    on: Sequence[str] = ("query_id",),
) -> Estimate:
    """The odds of a correct answer on side b divided by those on side a; arguments as of `change`."""
    before, after, pairs = analysis.paired_values(records, analysis.METRICS[metric], a, b, on)
    return analysis.Estimate.from_result(
        analysis.odds_ratio(before, after, pairs),
        estimand="odds ratio",
        metric=metric,
        model=model,
        condition={"a": dict(a), "b": dict(b)},
        method="marginal odds ratio by MOVER, Wilson's intervals on effective sizes; the paired difference decides",
    )


def accuracy_table(
    estimates: pd.DataFrame, across: str, caption: str, low: str = "low", high: str = "high", in_order: bool = False
) -> Table:
    """Rows of `analysis.accuracy` as a table: one row per model and metric, one column per value of `across`."""
    main = low == "low"  # other intervals of the same accuracies are not listed as estimates again
    return reporting.Table(
        caption,
        estimates,
        across=across,
        estimand="accuracy" if main else "",
        method=BOOTSTRAP if main else _WILSON,
        interval=(low, high),
        in_order=in_order,
    )


def pairwise_comparisons(
    records: pd.DataFrame, models: Sequence[str], conditions: Sequence[Mapping[str, Any]], metric: str
) -> tuple[Table, Statement]:
    """Every pair of models under every condition as one family of tests.

    Returns:
        The table of paired differences with p-values (raw, Holm, Benjamini–Hochberg), and a statement that counts the
        differences that remain.
    """
    tested, ratios = [], []
    for condition in conditions:
        rows_of_condition = analysis.rows_of(records, condition)
        for a, b in combinations(models, 2):
            left, right = {"model": a, **condition}, {"model": b, **condition}
            values = analysis.paired_values(rows_of_condition, analysis.METRICS[metric], left, right)
            difference = analysis.difference_of_values(*values)
            tested.append(analysis.Comparison.from_difference(difference, metric=metric, a=left, b=right))
            ratios.append(analysis.odds_ratio(*values))
    rows = [
        {
            "comparison": f"{comparison.b['model']} − {comparison.a['model']}",
            **{name: value for name, value in comparison.a.items() if name != "model"},
            "gains": comparison.gains,
            "losses": comparison.losses,
            **_odds_ratio_columns(ratio),
        }
        for comparison, ratio in zip(tested, ratios, strict=True)
    ]
    how = "95 % intervals and the test over concept pairs that they come from"
    return family_of_tests(tested, rows, metric, "differences between models", f"Paired differences, {metric}: {how}")


def _odds_ratio_columns(ratio: OddsRatio) -> dict[str, float]:
    return {"odds_ratio": ratio.estimate, "odds_ratio_low": ratio.low, "odds_ratio_high": ratio.high}


def family_of_tests(
    tested: Sequence[Comparison], rows: Sequence[Mapping[str, Any]], metric: str, what: str, caption: str
) -> tuple[Table, Statement]:
    """Comparisons of one metric as one family of tests.

    Args:
        tested: the comparisons, each with a p-value.
        rows: what the table shows of each in addition to its numbers.
        metric: the metric of all.
        what: what is compared, as the statement counts it.
        caption: of the table, without the number of tests.

    Returns:
        The table of differences with p-values (raw, Holm, Benjamini–Hochberg), and a statement that counts the
        differences that remain.
    """
    adjusted = analysis.adjust([comparison.p_value for comparison in tested])
    described = [
        {
            "metric": metric,
            **row,
            "estimate": comparison.value,
            "low": comparison.low,
            "high": comparison.high,
            "n": comparison.n,
            "clusters": comparison.clusters,
            "p_value": p,
            "holm": holm,
            "bh": bh,
        }
        for row, comparison, (p, holm, bh) in zip(rows, tested, adjusted.to_numpy().tolist(), strict=True)
    ]
    table = reporting.Table.from_rows(
        f"{caption}, and its p-value adjusted for {len(tested)} tests",
        described,
        estimand="difference",
        method=tested[0].method if tested else "",
        decimals=3,
        signed=True,
        metric=metric,
    )
    template = (
        "{metric}: {holm} of {tests} {what} remain after Holm's correction, {bh} after Benjamini and Hochberg's, "
        "{raw} without any."
    )
    counts = {
        name: int((adjusted[column] < 0.05).sum()) for name, column in (("holm", "holm"), ("bh", "bh"), ("raw", "p"))
    }
    values = {"tests": len(tested), "what": what, **counts}
    return table, reporting.Statement(template, values, metric=metric, methods=_CORRECTIONS)


def accuracy_findings(name: str, config: StudyConfig, records: pd.DataFrame) -> Findings:
    """Accuracy by condition: what a study reports that has no analysis of its own."""
    label, named = with_condition(records)
    estimates = analysis.accuracy(named, ["model", label], config.seed)
    table = accuracy_table(estimates, label, "Accuracy, with 95 % intervals over concept pairs", in_order=True)
    title = name.replace("_", " ").capitalize()
    return reporting.Findings(title, [reporting.Section("Accuracy by condition", tables=[table])])


def with_condition(records: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    """Records with one column that names their condition, from all condition columns that vary.

    Returns:
        The name of the column, and the records with it.
    """
    conditions = [column for column in records.columns if column not in store.FIXED]
    varying = [column for column in conditions if records[column].nunique(dropna=False) > 1]
    label = "condition"
    values = records[varying].apply(
        lambda row: ", ".join(f"{k} {reporting.format_value(v)}" for k, v in row.items()), axis=1
    )
    return label, records.assign(**{label: values if varying else "all queries"})
