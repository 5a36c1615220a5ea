"""Which concepts does a model learn from a support, and which not? Accuracy by category.

Question   How does accuracy differ between categories, and does one model lead in each?
Source     Tai et al., CVPR 2024 (arXiv 2308.07891), Figure 3.
Design     A category is an unreal concept paired with the real one that it resembles. Within a category, intervals
           resample support draws, so they hold for that category. The radar chart is the paper's; the dot plot
           with intervals is easier to read.
Command    python -m lcl_lab.studies.categories
Time       about a minute on two cores
Expect     the link-trained model is above the others in nearly every category, and weak in a few.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from pydantic import Field

from lcl_lab import analysis, episodes, evaluation, figures, reporting
from lcl_lab.config import MOST_QUERIES
from lcl_lab.studies import comparisons
from lcl_lab.studies.study import Study
from lcl_lab.studies.study_config import EpisodeConfig

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.evaluation import Design
    from lcl_lab.reporting import Claim, Findings, Statement, Table

__all__ = ["STUDY", "Categories"]

_DRAWS = "cluster bootstrap over support draws"
_TEST_OF_DRAWS = "sign-flip test over support draws"


class Categories(EpisodeConfig):
    """How every category is evaluated."""

    PRESETS = {
        "default": {},
        "tiny": {"queries": 40, "shots": 4, "model": ("mini/2-way", "mini/base")},
        "paper": {"queries": 2000},
    }

    model: tuple[str, ...] = Field(
        ("mini/2-way", "mini/in-context", "mini/base"),
        min_length=1,
        max_length=8,
        description="models, named as in every study; the first is compared with the others",
    )
    data: str = Field("isekai-mini", description="dataset, as in every study")
    queries: int = Field(600, ge=1, le=MOST_QUERIES, description="queries in total, shared evenly by the categories")
    shots: int = Field(16, ge=0, description="support images in total, half of each concept")


def _design(config: Categories) -> Design:
    dataset = config.load_dataset()
    episodes.check_shots(dataset, config.shots, config.queries_per_support)
    draw = partial(
        episodes.draw_episode,
        dataset,
        config.seed,
        shots=config.shots,
        queries_per_support=config.queries_per_support,
    )
    return evaluation.episode_design(
        dataset, config.queries, [({"shots": config.shots}, draw)], config.queries_per_support, shots=config.shots
    )


def _analyse(config: Categories, records: pd.DataFrame) -> Findings:
    dataset = config.load_dataset()
    names = {str(pair): dataset.concepts[pair.positive].name for pair in dataset.pairs}
    named = records.assign(category=records["pair"].map(names))
    metrics = comparisons.metrics_in(named)
    columns = {metric: analysis.METRICS[metric] for metric in metrics}
    estimates = analysis.accuracy(named, ["model", "category"], config.seed, columns, ("pair", "support_id"))
    shown = _hardest_last(config, estimates)
    title = f"Accuracy by category at {config.shots} shots on {config.data}"
    overall = analysis.accuracy(named, ["model"], config.seed).assign(category="all categories")
    width = max(420, 46 * shown["category"].nunique())
    return reporting.Findings(
        title,
        [
            reporting.Section(
                "All categories together",
                [statement for metric in metrics for statement in _leads(config, named, metric)],
                figures.radar_figure(shown, "category", title),
                "radar",
                [comparisons.accuracy_table(overall, "category", "Accuracy, with 95 % intervals over categories")],
            ),
            reporting.Section(
                "Category by category",
                [_extremes(config, shown[shown["metric"] == metric], metric) for metric in metrics],
                figures.dot_figure(shown, "category", title, guide=0.5, width=width),
                tables=[_table(estimates, shown, metric) for metric in metrics],
            ),
        ],
        list(_claims(config, records)),
    )


def _hardest_last(config: Categories, estimates: pd.DataFrame) -> pd.DataFrame:
    """The estimates of the models, for each metric in the order of the first model's accuracy, best first."""
    rows = estimates[estimates["model"].isin(config.models)]
    rows = rows.sort_values("estimate", ascending=False, kind="stable")
    ordered = []
    for metric in rows["metric"].unique():
        of_metric = rows[rows["metric"] == metric]
        order = of_metric[of_metric["model"] == config.model[0]]["category"].tolist()
        ordered.append(of_metric.set_index("category").loc[order].reset_index())
    return analysis.concat_estimates(ordered)


def _table(estimates: pd.DataFrame, shown: pd.DataFrame, metric: str) -> Table:
    """The accuracies of one metric, in the order of the figure."""
    order = list(dict.fromkeys(shown[shown["metric"] == metric]["category"]))
    rows = estimates[estimates["metric"] == metric]
    ranks = rows["category"].map({category: rank for rank, category in enumerate(order)})
    return reporting.Table(
        f"Accuracy ({metric}) by category, with 95 % intervals over support draws",
        rows.loc[ranks.sort_values(kind="stable").index],
        across="model",
        rows=("category",),
        metric=metric,
        estimand="accuracy",
        method=_DRAWS,
        in_order=True,
    )


def _leads(config: Categories, named: pd.DataFrame, metric: str) -> Iterator[Statement]:
    """The first model against each other model, over all categories and in each."""
    first, *others = comparisons.evaluated_models(named, config.model)
    wide = named.pivot(index=["category", "support_id", "query_id"], columns="model", values=analysis.METRICS[metric])
    template = (
        "**{first}** against **{other}** ({metric}): {change}, {change:p}; above it in {above} of {categories} "
        "categories, in {significant} of them by a test that remains after Holm's correction."
    )
    for other in others:
        change = comparisons.change(named, metric, {"model": other}, {"model": first})
        difference = wide[first].astype(float) - wide[other].astype(float)
        tests = [
            analysis.cluster_mcnemar(rows.to_numpy(), rows.index.get_level_values("support_id").to_numpy())
            for _, rows in difference.groupby("category")
        ]
        means = difference.groupby("category").mean()
        values = {
            "first": first,
            "other": other,
            "change": change,
            "above": int((means > 0).sum()),
            "categories": len(means),
            "significant": int((analysis.adjust(tests)["holm"] < 0.05).sum()),
        }
        yield reporting.Statement(template, values, metric, methods=[_TEST_OF_DRAWS, "Holm's correction"])


def _extremes(config: Categories, shown: pd.DataFrame, metric: str) -> Statement:
    """The first model's best and worst category."""
    rows = shown[shown["model"] == config.model[0]]
    best, worst = (
        analysis.Estimate.from_row(
            row,
            estimand="accuracy",
            metric=metric,
            model=config.model[0],
            condition={"category": row["category"]},
            method=_DRAWS,
        )
        for row in (rows.iloc[0], rows.iloc[-1])
    )
    return reporting.Statement(
        "{model}, {metric}: best on {best_category} ({best:2}) and worst on {worst_category} ({worst:2}).",
        {
            "best": best,
            "worst": worst,
            "best_category": best.condition["category"],
            "worst_category": worst.condition["category"],
        },
        metric,
        config.model[0],
    )


def _claims(config: Categories, records: pd.DataFrame) -> Iterator[Claim]:
    if {"mini/2-way", "mini/in-context"} <= set(records["model"].unique()):
        yield reporting.assess(
            "Figure 3",
            "LCL is above an in-context model (OpenFlamingo) over the categories of ISEKAI",
            "mini/2-way minus mini/in-context",
            comparisons.change(records, "candidate", {"model": "mini/in-context"}, {"model": "mini/2-way"}),
            above=0,
        )


STUDY = Study("categories", _design, _analyse, Categories, __doc__ or "")

if __name__ == "__main__":
    from lcl_lab.commands import study_program

    study_program(STUDY).main()
