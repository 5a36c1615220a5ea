"""Where in the support does a false label hurt? Lost in the middle, for link-context learning.

Question   Which positions of the support does a model rely on?
Source     Tai et al., CVPR 2024 (arXiv 2308.07891), Figure 8 (five positions; here all); Liu et al., arXiv 2307.03172.
Design     Two designs estimate the effect of a false label at each position. One at a time: each query with all labels
           true, and with the label at one position false, for every position; this design decides the claims, since
           Figure 8 is about one false label. Factorial: every label of a prompt is false with probability --share, and
           prompts whose label at a position is true are compared with those whose label there is false.
Command    python -m lcl_lab.studies.label_position
Time       under two minutes on two cores
Expect     a false label among the last three of sixteen costs a link-trained model a tenth, elsewhere almost
           nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from lcl_lab import analysis, episodes, evaluation, figures, reporting
from lcl_lab.config import MOST_QUERIES
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
_METHODS = {
    ONE: "sign-flip intervals over concept pairs, simultaneous for all positions",
    FACTORIAL: "MOVER with cluster-robust limits over concept pairs, simultaneous for all positions",
}
_PERMUTATION = "permutation of positions within concept pairs"
_DECIDES = (
    "The designs answer different questions. One at a time, a single label is false, as in Figure 8, so this design "
    "decides the claims. In the factorial design, other labels are false too."
)
_SIGNIFICANT = 0.05


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
    queries: int = Field(100, ge=1, le=MOST_QUERIES, description="queries per position, one label false at a time")
    shots: int = Field(16, ge=2, description="support images in total, half of each concept")
    factorial: int = Field(600, ge=0, le=MOST_QUERIES, description="prompts of the factorial design")
    share: float | None = Field(
        None, gt=0, lt=1, description="probability of each label to be false in it; default: 1/shots"
    )

    @property
    def probability_false(self) -> float:
        """The probability of each label to be false in the factorial design: by default, one of a prompt on average."""
        return 1 / self.shots if self.share is None else self.share


@dataclass(frozen=True)
class _Effects:
    """What the designs say about one model under one metric.

    Attributes:
        model: the model.
        metric: the metric.
        one: the effects of a single false label.
        share: the observed share of false labels in the factorial design.
        factorial: the effects at that share; None where there are too few prompts.
    """

    model: str
    metric: str
    one: PositionEffects
    share: float
    factorial: PositionEffects | None

    @property
    def by_design(self) -> dict[str, PositionEffects]:
        return {ONE: self.one} | ({FACTORIAL: self.factorial} if self.factorial else {})


def _design(config: LabelPosition) -> Design:
    dataset = config.load_dataset()
    episodes.check_shots(dataset, config.shots, config.queries_per_support)

    def intact(query: int) -> Episode:
        return episodes.draw_episode(dataset, config.seed, query, config.shots, config.queries_per_support)

    def one_false(position: int, query: int) -> Episode:
        return episodes.falsify_at(intact(query), position) if position else intact(query)

    def several_false(query: int) -> Episode:
        return episodes.falsify_independently(intact(query), config.probability_false)

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
        share=config.probability_false,
    )


def _analyse(config: LabelPosition, records: pd.DataFrame) -> Findings:
    effects = [
        effects
        for model, rows in comparisons.per_model(records, config.model)
        for effects in _effects(config, model, rows)
    ]
    title = f"A false label of {config.shots}, by its position, on {config.data}"
    drops = analysis.concat_estimates(
        [
            positions.drops.assign(model=found.model, metric=found.metric, design=design)
            for found in effects
            for design, positions in found.by_design.items()
        ]
    )
    statements = [statement for found in effects for statement in _statements(found)]
    if config.factorial:
        statements.append(reporting.Statement(_DECIDES))
    section = reporting.Section(
        "What a false label costs",
        statements,
        figures.position_figure(drops, title),
        tables=[_table(drops[drops["metric"] == metric], metric) for metric in drops["metric"].unique()],
    )
    return reporting.Findings(title, [section], list(_claims(config, records, effects)))


def _effects(config: LabelPosition, model: str, rows: pd.DataFrame) -> Iterator[_Effects]:
    """The effects on one model under each metric that its records have."""
    one, several = (analysis.rows_of(rows, {"design": design}) for design in (ONE, FACTORIAL))
    flips = np.array([[bool(example["false"]) for example in support] for support in several["support"]])
    share = float(flips.mean()) if flips.size else 0.0
    for metric in comparisons.metrics_in(rows):
        column = analysis.METRICS[metric]
        # Candidate results keep the generator that they had when they were the only ones.
        key = (model,) if metric == "candidate" else (model, metric)
        correct = one.pivot(index=["pair", "query_id"], columns="position", values=column).astype(float)
        clusters = correct.index.get_level_values("pair").to_numpy()
        answers = correct.to_numpy()
        drops = analysis.position_drops(
            answers[:, 0], answers[:, 1:], clusters, analysis.cell_rng(config.seed, (*key, ONE))
        )
        factorial = None
        with suppress(UserError):  # too few prompts
            rng = analysis.cell_rng(config.seed, (*key, FACTORIAL))
            factorial = analysis.factorial_effects(flips, several[column], several["pair"], rng)
        yield _Effects(model, metric, drops, share, factorial)


def _table(drops: pd.DataFrame, metric: str) -> Table:
    return reporting.Table(
        f"Drop in accuracy ({metric}), with 95 % intervals that hold for all positions simultaneously",
        drops.rename(columns={"drop": "estimate"}).assign(
            cell=drops["model"] + ", " + drops["design"],
            position=drops["position"].astype(int),
            method=drops["design"].map(_METHODS),
        ),
        across="cell",
        rows=("position",),
        metric=metric,
        estimand="drop in accuracy",
        decimals=3,
        signed=True,
        in_order=True,
    )


def _statements(found: _Effects) -> Iterator[Statement]:
    """The average and the largest drop of each design, and whether its positions differ."""
    templates = {
        ONE: (
            "{model}, {metric}, {design}, {prompts} prompts: accuracy {accuracy:.3f} with all labels true; one false "
            "label costs {mean:+.3f} on average, most at position {position} ({worst}). That positions differ: {p:p}."
        ),
        FACTORIAL: (
            "{model}, {metric}, {design}, {prompts} prompts with {share:.0%} false labels: accuracy {accuracy:.3f}; a "
            "false label instead of a true one, averaged over the other labels of these prompts, costs {mean:+.3f} on "
            "average, most at position {position} ({worst}). That positions differ: {p:p}."
        ),
    }
    for design, positions in found.by_design.items():
        values = {
            "design": design,
            "prompts": positions.prompts,
            "share": found.share,
            "accuracy": positions.accuracy,
            "p": positions.p_value,
            **_average_and_worst(found, positions, design),
        }
        yield reporting.Statement(templates[design], values, found.metric, found.model, methods=[_PERMUTATION])


def _average_and_worst(found: _Effects, positions: PositionEffects, design: str) -> dict[str, object]:
    """The mean drop, and the position and estimate of the largest one."""
    worst = positions.drops.nlargest(1, "drop").iloc[0]
    position = int(worst["position"])
    estimate = analysis.Estimate(
        value=worst["drop"],
        low=worst["low"],
        high=worst["high"],
        n=positions.prompts,
        clusters=positions.clusters,
        estimand="drop in accuracy",
        metric=found.metric,
        model=found.model,
        condition={"design": design, "position": position},
        method=_METHODS[design],
        signed=True,
    )
    return {"mean": positions.drops["drop"].mean(), "position": position, "worst": estimate}


def _claims(config: LabelPosition, records: pd.DataFrame, effects: list[_Effects]) -> Iterator[Claim]:
    """Claims about one false label, which the one-at-a-time design decides."""
    one = next((found.one for found in effects if (found.model, found.metric) == ("mini/2-way", "candidate")), None)
    if one is None:
        return
    yield reporting.Claim(
        "Figure 8",
        "where the false label stands matters",
        f"mini/2-way, {ONE}",
        "holds" if one.p_value < _SIGNIFICANT else "inconclusive",
        p_value=one.p_value,
        metric="candidate",
        undecided=analysis.detectable_drop(one),
        method=_PERMUTATION,
    )
    rows = records[(records["model"] == "mini/2-way") & (records["design"] == ONE)]
    first, last = {"position": 1}, {"position": config.shots}
    # Accuracy under a false last label minus that under a false first one: what the first costs more than the last.
    difference = comparisons.change(rows, "candidate", first, last, "mini/2-way", design=ONE)
    yield reporting.assess(
        "Figure 8",
        "a false first label costs more than a false last one",
        f"mini/2-way, {ONE}, drop at position 1 minus drop at position {config.shots}",
        replace(difference, estimand="difference in drops"),
        above=0,
    )


STUDY = Study(
    "label_position",
    _design,
    _analyse,
    LabelPosition,
    __doc__ or "",
    reference=False,
    supports=("design", FACTORIAL, ("false",)),
)

if __name__ == "__main__":
    from lcl_lab.commands import study_program

    study_program(STUDY).main()
