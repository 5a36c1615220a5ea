"""Which concepts does a model learn from a support, and which not? Accuracy by category.

Question   How does accuracy differ between categories, and does one model lead in each?
Source     Tai et al., CVPR 2024 (arXiv 2308.07891), Figure 3.
Design     A category is an unreal thing beside the real one that it resembles. Within a category intervals
           resample support draws, so they hold for that category. The radar is the paper's way to draw it;
           the dot plot with intervals reads better.
Command    python -m lcl_lab.studies.categories
Time       about a minute on two cores
Expect     the link-trained model is above the others in nearly every category, and weak in a few.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pydantic import Field

from lcl_lab.cli import run_program
from lcl_lab.studies._options import EpisodeConfig
from lcl_lab.studies._study import Presets, Study

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.studies._findings import Claim, Findings, Table
    from lcl_lab.studies._plan import Plan

__all__ = ["STUDY", "Categories"]


class Categories(EpisodeConfig):
    """What is asked of every category."""

    model: tuple[str, ...] = Field(
        ("mini/2-way", "mini/in-context", "mini/base"),
        min_length=1,
        max_length=8,
        description="the first is compared with the others; names as in every study",
    )
    data: str = Field("isekai-mini", description="as in every study")
    queries: int = Field(600, ge=1, description="queries in all, shared evenly by the categories")
    shots: int = Field(16, ge=0, description="support images in all, half of each concept")


PRESETS: Presets = {
    "default": {},
    "tiny": {"queries": 40, "shots": 4, "model": ("mini/2-way", "mini/base")},
    "paper": {"queries": 2000},
}


def _plan(config: Categories) -> Plan:
    from lcl_lab.concepts import load_dataset
    from lcl_lab.episodes import check_shots, draw_episode
    from lcl_lab.studies._plan import of_episodes

    concepts = load_dataset(config.data)
    check_shots(concepts, config.shots, config.queries_per_support)

    draw = partial(
        draw_episode,
        concepts,
        config.seed,
        shots=config.shots,
        queries_per_support=config.queries_per_support,
    )
    return of_episodes(
        concepts, config.queries, [({"shots": config.shots}, draw)], config.queries_per_support, shots=config.shots
    )


def _find(config: Categories, records: pd.DataFrame) -> Findings:
    from lcl_lab.analysis import accuracy
    from lcl_lab.concepts import load_dataset
    from lcl_lab.figures import dot_figure, radar_figure
    from lcl_lab.studies._findings import Findings, Section, accuracy_table

    concepts = load_dataset(config.data)
    names = {str(pair): concepts.concepts[pair.positive].name for pair in concepts.pairs}
    named = records.assign(category=records["pair"].map(names))
    metric = "candidate" if records["correct_candidate"].notna().all() else "open-ended"
    column = {metric: "correct_candidate" if metric == "candidate" else "correct_open"}
    estimates = accuracy(named, ["model", "category"], config.seed, column, ("pair", "support_id"))
    shown = estimates[estimates["model"].isin(config.models)].sort_values("estimate", ascending=False, kind="stable")
    hardest = shown[shown["model"] == config.model[0]]["category"].tolist()
    shown = shown.set_index("category").loc[hardest].reset_index()
    title = f"Accuracy by category at {config.shots} shots on {config.data}"
    overall = accuracy(named, ["model"], config.seed).assign(category="all categories")
    dots = dot_figure(shown, "category", title, guide=0.5, width=max(420, 46 * len(hardest)))
    caption = f"Accuracy ({metric}) by category, with 95 % intervals over support draws"
    return Findings(
        title,
        [
            Section(
                "All categories together",
                _leads(config, named, metric),
                radar_figure(shown, "category", title),
                "radar",
                [accuracy_table(overall, "category", "Accuracy, and its 95 % interval over categories")],
            ),
            Section(
                "Category by category",
                [_spread(config, shown)],
                dots,
                tables=[_by_category(caption, estimates, hardest)],
            ),
        ],
        _claims(config, records),
    )


def _by_category(caption: str, estimates: pd.DataFrame, order: list[str]) -> Table:
    from lcl_lab.studies._findings import Table, interval

    numbers = estimates[["estimate", "low", "high"]].to_numpy().tolist()
    text = [interval(estimate, low, high, places=2) for estimate, low, high in numbers]
    wide = estimates.assign(text=text).pivot(index="category", columns="model", values="text").loc[order]
    return Table(caption, wide.reset_index())


def _leads(config: Categories, named: pd.DataFrame, metric: str) -> list[str]:
    """The first model against each other, over all categories and in each."""
    from lcl_lab.analysis import METRICS, adjust, cluster_mcnemar
    from lcl_lab.studies._compare import asked_models, change
    from lcl_lab.studies._findings import interval, told_p

    first, *others = asked_models(named, config.model)
    said = []
    for other in others:
        found = change(named, metric, {"model": other}, {"model": first}, config.seed)
        wide = named.pivot(index=["category", "support_id", "query_id"], columns="model", values=METRICS[metric])
        difference = wide[first].astype(float) - wide[other].astype(float)
        tests = [
            cluster_mcnemar(own.to_numpy(), own.index.get_level_values("support_id").to_numpy())
            for _, own in difference.groupby("category")
        ]
        means = difference.groupby("category").mean()
        real = int((adjust(tests)["holm"] < 0.05).sum())
        told = interval(found.estimate, found.low, found.high, sign=True)
        said.append(
            f"**{first}** against **{other}** ({metric}): {told}, {told_p(found.p_value)}; above it in "
            f"{int((means > 0).sum())} of {len(means)} categories, in {real} of them by a test that stands after "
            f"Holm's correction."
        )
    return said


def _spread(config: Categories, shown: pd.DataFrame) -> str:
    own = shown[shown["model"] == config.model[0]]
    best, worst = own.iloc[0], own.iloc[-1]
    return (
        f"**{config.model[0]}** is best on {best['category']} ({best['estimate']:.2f} [{best['low']:.2f}, "
        f"{best['high']:.2f}]) and worst on {worst['category']} ({worst['estimate']:.2f} [{worst['low']:.2f}, "
        f"{worst['high']:.2f}])."
    )


def _claims(config: Categories, records: pd.DataFrame) -> list[Claim]:
    from lcl_lab.studies._compare import change
    from lcl_lab.studies._findings import claim

    if not {"mini/2-way", "mini/in-context"} <= set(records["model"]):
        return []
    found = change(records, "candidate", {"model": "mini/in-context"}, {"model": "mini/2-way"}, config.seed)
    told = "LCL is above an in-context model (OpenFlamingo) over the categories of ISEKAI"
    values = (found.estimate, found.low, found.high)
    return [claim("Figure 3", told, "mini/2-way minus mini/in-context", values, above=0, sign=True)]


STUDY = Study("categories", __doc__ or "", Categories, PRESETS, _plan, _find)

if __name__ == "__main__":
    run_program(STUDY.main)
