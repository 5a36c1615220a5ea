"""Where in the support does a false label hurt? Lost in the middle, for link-context learning.

Question   Which places of the support does a model lean on?
Source     Tai et al., CVPR 2024 (arXiv 2308.07891), Figure 8 (five places; here all); Liu et al., arXiv 2307.03172.
Design     Two designs give the same effects. One at a time: each query with all labels true, and with the label
           of one place false, for every place. Factorial: every label of a prompt is false with a chance of
           --share, and a logistic model with an effect for each place tells them apart.
Command    python -m lcl_lab.studies.label_position
Time       under two minutes on two cores
Expect     a false label among the last three of sixteen costs a link-trained model a tenth, elsewhere next to
           nothing; the factorial design tells the same from a third of the prompts or less.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from pydantic import Field

from lcl_lab.cli import run_program
from lcl_lab.errors import UserError
from lcl_lab.studies._options import EpisodeConfig
from lcl_lab.studies._study import Presets, Study

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.analysis import Places
    from lcl_lab.studies._findings import Claim, Findings
    from lcl_lab.studies._plan import Plan

__all__ = ["STUDY", "LabelPosition"]

ONE, FACTORIAL = "one at a time", "factorial"


class LabelPosition(EpisodeConfig):
    """The support whose places are tried, and the size of the factorial design."""

    model: tuple[str, ...] = Field(
        ("mini/2-way", "mini/mix"), min_length=1, max_length=8, description="names as in every study"
    )
    queries: int = Field(100, ge=1, description="queries at each place, one label false at a time")
    shots: int = Field(16, ge=2, description="support images in all, half of each concept")
    factorial: int = Field(600, ge=0, description="prompts of the factorial design")
    share: float = Field(0.25, gt=0, lt=1, description="chance of each label to be false in it")


PRESETS: Presets = {
    "default": {},
    "tiny": {"queries": 12, "shots": 4, "factorial": 120},
    "paper": {"queries": 5000, "factorial": 10000},
}


def _plan(config: LabelPosition) -> Plan:
    from lcl_lab.concepts import load_dataset
    from lcl_lab.episodes import Episode, check_shots, draw_episode, falsify_at, falsify_some
    from lcl_lab.studies._plan import Value, of_episodes

    concepts = load_dataset(config.data)
    check_shots(concepts, config.shots, config.queries_per_support)

    def intact(query: int) -> Episode:
        return draw_episode(concepts, config.seed, query, config.shots, config.queries_per_support)

    def at(place: int, query: int) -> Episode:
        return falsify_at(intact(query), place) if place else intact(query)

    one: list[tuple[dict[str, Value], Callable[[int], Episode]]] = [
        ({"shots": config.shots, "design": ONE, "position": place}, partial(at, place))
        for place in range(config.shots + 1)
    ]

    def several(query: int) -> Episode:
        return falsify_some(intact(query), config.share)

    return of_episodes(
        concepts,
        [*[config.queries] * len(one), config.factorial],
        [*one, ({"shots": config.shots, "design": FACTORIAL}, several)],
        config.queries_per_support,
        shots=config.shots,
        factorial=config.factorial,
        share=config.share,
    )


def _find(config: LabelPosition, records: pd.DataFrame) -> Findings:
    import pandas as pd

    from lcl_lab.figures import position_figure
    from lcl_lab.studies._compare import asked_models
    from lcl_lab.studies._findings import Findings, Section, Table, interval

    drawn, said, rows = [], [], []
    for model in asked_models(records, config.model):
        found = _designs(config, model, records[records["model"] == model])
        said += _sentences(model, found)
        for design, places in found.items():
            drops = places.drops.assign(model=model, design=design)
            drawn.append(drops)
            for place, drop, low, high in drops[["position", "drop", "low", "high"]].to_numpy().tolist():
                told = interval(drop, low, high, sign=True)
                rows.append({"place": int(place), "column": f"{model}, {design}", "drop": told})
    title = f"One false label of {config.shots}, by its place, on {config.data}"
    caption = "Drop in accuracy (candidate), with 95 % intervals that hold for all places at once"
    columns = list(dict.fromkeys(row["column"] for row in rows))
    wide = pd.DataFrame(rows).pivot(index="place", columns="column", values="drop")[columns]
    chart = position_figure(pd.concat(drawn), title)
    table = Table(caption, wide.fillna("").reset_index())
    return Findings(title, [Section("What a false label costs", said, chart, tables=[table])], _claims(config, records))


def _designs(config: LabelPosition, model: str, own: pd.DataFrame) -> dict[str, Places]:
    """What each design says of a model; the factorial one is left out where it has too little to fit."""
    import numpy as np

    from lcl_lab.analysis import METRICS, cell_rng, factorial_drops, position_drops

    column = METRICS["candidate"] if own[METRICS["candidate"]].notna().all() else METRICS["open-ended"]
    one = own[own["design"] == ONE].pivot(index=["pair", "query_id"], columns="position", values=column).astype(float)
    clusters = np.asarray(one.index.get_level_values("pair"))
    answers = one.to_numpy()
    found = {ONE: position_drops(answers[:, 0], answers[:, 1:], clusters, cell_rng(config.seed, (model, ONE)))}
    several = own[own["design"] == FACTORIAL]
    if len(several):
        flips = np.array([[shown["false"] for shown in support] for support in several["support"]], float)
        try:
            found[FACTORIAL] = factorial_drops(
                flips, several[column], several["pair"], cell_rng(config.seed, (model, FACTORIAL))
            )
        except UserError:
            return found
    return found


def _sentences(model: str, found: dict[str, Places]) -> list[str]:
    from lcl_lab.studies._findings import told_p

    said = []
    for design, places in found.items():
        worst = places.drops.nlargest(1, "drop").iloc[0]
        said.append(
            f"**{model}**, {design}, {places.prompts} prompts: accuracy {places.intact:.3f} with all labels true; one "
            f"false label costs {places.drops['drop'].mean():+.3f} on average, most at place {worst['position']:.0f} "
            f"({worst['drop']:+.3f} [{worst['low']:+.3f}, {worst['high']:+.3f}]). "
            f"That places differ: {told_p(places.p_value)}."
        )
    if FACTORIAL not in found:
        return [*said, f"**{model}**: too few answers or errors in the factorial design for an effect of each place."]
    one, several = found[ONE], found[FACTORIAL]
    saving = (one.prompts * one.error**2) / (several.prompts * several.error**2)
    half = [(places.drops["high"] - places.drops["low"]) / 2 for places in (one, several)]
    agree = (one.drops["drop"] - several.drops["drop"]).abs().le((half[0] ** 2 + half[1] ** 2) ** 0.5)
    said.append(
        f"**{model}**: {one.prompts} prompts one at a time give drops a standard error of {one.error:.4f}, "
        f"{several.prompts} of the factorial design {several.error:.4f}: for intervals of equal width it needs "
        f"**1/{saving:.1f} of the prompts**. The designs agree, within both intervals, at {agree.sum()} of "
        f"{len(agree)} places."
    )
    return said


def _claims(config: LabelPosition, records: pd.DataFrame) -> list[Claim]:
    from lcl_lab.studies._compare import change
    from lcl_lab.studies._findings import Claim, claim, told_p

    own = records[(records["model"] == "mini/2-way") & (records["design"] == ONE)]
    if own.empty:
        return []
    differ = _designs(config, "mini/2-way", records[records["model"] == "mini/2-way"])[ONE]
    joint = Claim(
        "Figure 8",
        "where the false label stands matters",
        f"mini/2-way, {told_p(differ.p_value)}",
        "holds" if differ.p_value < 0.05 else "cannot tell",
    )
    last, first = {"position": config.shots}, {"position": 1}
    found = change(own, "candidate", first, last, config.seed)
    values = (found.estimate, found.low, found.high)
    told = "a false first label costs more than a false last one"
    return [joint, claim("Figure 8", told, "mini/2-way, last minus first", values, above=0, sign=True)]


STUDY = Study(
    "label_position",
    __doc__ or "",
    LabelPosition,
    PRESETS,
    _plan,
    _find,
    reference=False,
    supports=("design", FACTORIAL),
)

if __name__ == "__main__":
    run_program(STUDY.main)
