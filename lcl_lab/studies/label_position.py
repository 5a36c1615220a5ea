"""Where in the support does a false label hurt? Lost in the middle, for link-context learning.

Question   Which positions of the support does a model rely on?
Source     Tai et al., CVPR 2024 (arXiv 2308.07891), Figure 8 (five positions; here all); Liu et al., arXiv 2307.03172.
Design     Two designs estimate the same effects. One at a time: each query with all labels true, and with the label at
           one position false, for every position. Factorial: every label of a prompt is false with probability
           --share, and a logistic model with one effect per position separates them.
Command    python -m lcl_lab.studies.label_position
Time       under two minutes on two cores
Expect     a false label among the last three of sixteen costs a link-trained model a tenth, elsewhere almost
           nothing; the factorial design gives the same effects from a third of the prompts or fewer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from pydantic import Field

from lcl_lab import analysis, concepts, episodes, evaluation, figures, reporting
from lcl_lab.errors import UserError
from lcl_lab.studies import comparisons
from lcl_lab.studies.study import Study
from lcl_lab.studies.study_config import EpisodeConfig

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.analysis import PositionEffects
    from lcl_lab.episodes import Episode
    from lcl_lab.evaluation import Design, Value
    from lcl_lab.reporting import Claim, Findings, Statement, Table

__all__ = ["STUDY", "LabelPosition"]

ONE, FACTORIAL = "one at a time", "factorial"
_SIMULTANEOUS = "bootstrap over concept pairs, simultaneous for all positions"


class LabelPosition(EpisodeConfig):
    """The support whose positions are varied, and the size of the factorial design."""

    PRESETS = {
        "default": {},
        "tiny": {"queries": 12, "shots": 4, "factorial": 120},
        "paper": {"queries": 5000, "factorial": 10000},
    }

    model: tuple[str, ...] = Field(
        ("mini/2-way", "mini/mix"), min_length=1, max_length=8, description="models, named as in every study"
    )
    queries: int = Field(100, ge=1, description="queries per position, one label false at a time")
    shots: int = Field(16, ge=2, description="support images in total, half of each concept")
    factorial: int = Field(600, ge=0, description="prompts of the factorial design")
    share: float = Field(0.25, gt=0, lt=1, description="probability of each label to be false in it")


@dataclass(frozen=True)
class _Effects:
    """What the designs say about one model under one metric; `factorial` is None where there is too little to fit."""

    model: str
    metric: str
    one: PositionEffects
    factorial: PositionEffects | None

    @property
    def by_design(self) -> dict[str, PositionEffects]:
        return {ONE: self.one} | ({FACTORIAL: self.factorial} if self.factorial else {})


def _design(config: LabelPosition) -> Design:
    dataset = concepts.load_dataset(config.data)
    episodes.check_shots(dataset, config.shots, config.queries_per_support)

    def intact(query: int) -> Episode:
        return episodes.draw_episode(dataset, config.seed, query, config.shots, config.queries_per_support)

    def one_false(position: int, query: int) -> Episode:
        return episodes.falsify_at(intact(query), position) if position else intact(query)

    def several_false(query: int) -> Episode:
        return episodes.falsify_independently(intact(query), config.share)

    one: list[tuple[dict[str, Value], Callable[[int], Episode]]] = [
        ({"shots": config.shots, "design": ONE, "position": position}, partial(one_false, position))
        for position in range(config.shots + 1)
    ]
    return evaluation.episode_design(
        dataset,
        [*[config.queries] * len(one), config.factorial],
        [*one, ({"shots": config.shots, "design": FACTORIAL}, several_false)],
        config.queries_per_support,
        shots=config.shots,
        factorial=config.factorial,
        share=config.share,
    )


def _analyse(config: LabelPosition, records: pd.DataFrame) -> Findings:
    effects = [
        _effects(config, model, metric, rows)
        for model, metric, rows in comparisons.per_model_and_metric(records, config.model)
    ]
    title = f"One false label of {config.shots}, by its position, on {config.data}"
    drops = analysis.concat_estimates(
        [
            positions.drops.assign(model=found.model, metric=found.metric, design=design)
            for found in effects
            for design, positions in found.by_design.items()
        ]
    )
    section = reporting.Section(
        "What a false label costs",
        [statement for found in effects for statement in _statements(found)],
        figures.position_figure(drops, title),
        tables=[_table(drops[drops["metric"] == metric], metric) for metric in drops["metric"].unique()],
    )
    return reporting.Findings(title, [section], list(_claims(config, records, effects)))


def _effects(config: LabelPosition, model: str, metric: str, rows: pd.DataFrame) -> _Effects:
    column = analysis.METRICS[metric]
    # Candidate results keep the generator that they had when they were the only ones.
    key = (model,) if metric == "candidate" else (model, metric)
    one = rows[rows["design"] == ONE]
    correct = one.pivot(index=["pair", "query_id"], columns="position", values=column).astype(float)
    clusters = correct.index.get_level_values("pair").to_numpy()
    answers = correct.to_numpy()
    drops = analysis.position_drops(
        answers[:, 0], answers[:, 1:], clusters, analysis.cell_rng(config.seed, (*key, ONE))
    )
    return _Effects(model, metric, drops, _factorial(config, column, (*key, FACTORIAL), rows))


def _factorial(config: LabelPosition, column: str, key: tuple[str, ...], rows: pd.DataFrame) -> PositionEffects | None:
    several = rows[rows["design"] == FACTORIAL]
    if several.empty:
        return None
    flips = [[float(example["false"]) for example in support] for support in several["support"]]
    try:
        return analysis.factorial_drops(flips, several[column], several["pair"], analysis.cell_rng(config.seed, key))
    except UserError:
        return None


def _table(drops: pd.DataFrame, metric: str) -> Table:
    frame = drops.rename(columns={"drop": "estimate"})
    frame = frame.assign(cell=frame["model"] + ", " + frame["design"], position=frame["position"].astype(int))
    caption = f"Drop in accuracy ({metric}), with 95 % intervals that hold for all positions simultaneously"
    return reporting.Table(
        caption,
        frame,
        across="cell",
        rows=("position",),
        metric=metric,
        estimand="drop in accuracy",
        method=_SIMULTANEOUS,
        decimals=3,
        signed=True,
        in_order=True,
    )


def _statements(found: _Effects) -> Iterator[Statement]:
    template = (
        "{model}, {metric}, {design}, {prompts} prompts: accuracy {intact:.3f} with all labels true; one false label "
        "costs {mean:+.3f} on average, most at position {position} ({worst}). That positions differ: {p:p}."
    )
    for design, positions in found.by_design.items():
        worst = positions.drops.nlargest(1, "drop").iloc[0]
        position = int(worst["position"])
        values = {
            "design": design,
            "prompts": positions.prompts,
            "intact": positions.intact,
            "mean": positions.drops["drop"].mean(),
            "position": position,
            "worst": analysis.Estimate(
                value=worst["drop"],
                low=worst["low"],
                high=worst["high"],
                n=positions.prompts,
                clusters=positions.clusters,
                estimand="drop in accuracy",
                metric=found.metric,
                model=found.model,
                condition={"design": design, "position": position},
                method=_SIMULTANEOUS,
                signed=True,
            ),
            "p": positions.p_value,
        }
        yield reporting.Statement(template, values, found.metric, found.model)
    if found.factorial is None:
        template = (
            "{model}, {metric}: too few answers or errors in the factorial design to fit one effect per position."
        )
        yield reporting.Statement(template, {}, found.metric, found.model)
    else:
        yield _saving(found, found.one, found.factorial)


def _saving(found: _Effects, one: PositionEffects, several: PositionEffects) -> Statement:
    """How many prompts the factorial design saves, and whether both designs agree."""
    half = [(positions.drops["high"] - positions.drops["low"]) / 2 for positions in (one, several)]
    agree = (one.drops["drop"] - several.drops["drop"]).abs().le((half[0] ** 2 + half[1] ** 2) ** 0.5)
    template = (
        "{model}, {metric}: {one} prompts one at a time give drops a standard error of {one_error:.4f}, {several} of "
        "the factorial design {several_error:.4f}: for intervals of equal width it needs **1/{saving:.1f} of the "
        "prompts**. The designs agree, within both intervals, at {agree} of {positions} positions."
    )
    values = {
        "one": one.prompts,
        "one_error": one.error,
        "several": several.prompts,
        "several_error": several.error,
        "saving": (one.prompts * one.error**2) / (several.prompts * several.error**2),
        "agree": int(agree.sum()),
        "positions": len(agree),
    }
    return reporting.Statement(template, values, found.metric, found.model)


def _claims(config: LabelPosition, records: pd.DataFrame, effects: list[_Effects]) -> Iterator[Claim]:
    joint = next((e.one for e in effects if (e.model, e.metric) == ("mini/2-way", "candidate")), None)
    if joint is None:
        return
    yield reporting.Claim(
        "Figure 8",
        "where the false label stands matters",
        "mini/2-way",
        "holds" if joint.p_value < 0.05 else "inconclusive",
        p_value=joint.p_value,
        metric="candidate",
    )
    rows = records[(records["model"] == "mini/2-way") & (records["design"] == ONE)]
    last, first = {"position": config.shots}, {"position": 1}
    yield reporting.assess(
        "Figure 8",
        "a false first label costs more than a false last one",
        "mini/2-way, last minus first",
        comparisons.change(rows, "candidate", first, last, config.seed, "mini/2-way"),
        above=0,
    )


STUDY = Study(
    "label_position",
    _design,
    _analyse,
    LabelPosition,
    __doc__ or "",
    reference=False,
    supports=("design", FACTORIAL),
)

if __name__ == "__main__":
    from lcl_lab.commands import study_program

    study_program(STUDY).main()
