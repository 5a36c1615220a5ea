"""Does the order of the shots matter, beside which shots were drawn?

Question   How much does an answer change when the same support is shown in another order, against how much it
           changes with another support?
Source     Lu et al., "Fantastically ordered prompts", arXiv 2104.08786; the paper fixes one order and never says
           how much hangs on it.
Design     Every query is asked after several orders of one support, and after several supports of the same pair.
           Orders are balanced, as those of all supports are (every two shots are one of each concept), and, apart,
           of any kind. Variances are within queries, so what makes a query hard does not count.
Command    python -m lcl_lab.studies.order
Time       under a minute on two cores
Expect     much of what another support changes is its order alone, and an unbalanced order changes more.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from pydantic import Field

from lcl_lab.cli import run_program
from lcl_lab.studies._options import EpisodeConfig
from lcl_lab.studies._study import Presets, Study

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.analysis import OrderAndDraw
    from lcl_lab.episodes import Episode
    from lcl_lab.studies._findings import Findings
    from lcl_lab.studies._plan import Plan, Value

__all__ = ["STUDY", "Order"]

RIGHT, MARGIN = "accuracy", "margin (nats a token)"
ORDER, ANY, DRAW = "balanced order", "any order", "draw"


class Order(EpisodeConfig):
    """How many orders of a support, and how many supports."""

    model: tuple[str, ...] = Field(
        ("mini/2-way", "mini/mix"), min_length=1, max_length=8, description="names as in every study"
    )
    shots: int = Field(8, ge=2, description="support images in all, half of each concept")
    repeats: int = Field(4, ge=2, description="orders of one support, and as many supports")


PRESETS: Presets = {
    "default": {},
    "tiny": {"queries": 40, "data": "isekai-mini", "shots": 4, "repeats": 3},
    "paper": {"queries": 2000, "shots": 16, "repeats": 12},
}


def _plan(config: Order) -> Plan:
    from lcl_lab.concepts import load_dataset
    from lcl_lab.episodes import check_shots, draw_episode, redraw, reorder
    from lcl_lab.studies._plan import of_episodes

    concepts = load_dataset(config.data)
    check_shots(concepts, config.shots, config.queries_per_support)

    def under(vary: str, number: int, query: int) -> Episode:
        drawn = draw_episode(concepts, config.seed, query, config.shots, config.queries_per_support)
        return redraw(drawn, number) if vary == DRAW else reorder(drawn, number, vary == ORDER)

    # What was drawn first, in the order in which it was drawn, is number 0 of all.
    others = [(vary, number) for vary in (ORDER, ANY, DRAW) for number in range(1, config.repeats)]
    varied = [(ORDER, 0), *others]
    conditions: list[tuple[dict[str, Value], Callable[[int], Episode]]] = [
        ({"shots": config.shots, "vary": vary, "number": number}, partial(under, vary, number))
        for vary, number in varied
    ]
    return of_episodes(
        concepts,
        config.queries,
        conditions,
        config.queries_per_support,
        shots=config.shots,
        repeats=config.repeats,
    )


def _find(config: Order, records: pd.DataFrame) -> Findings:
    import pandas as pd

    from lcl_lab.figures import dot_figure
    from lcl_lab.studies._compare import asked_models
    from lcl_lab.studies._findings import Findings, Section, Table, interval

    rows, said = [], []
    for model in asked_models(records, config.model):
        own = records[records["model"] == model]
        for outcome, values in _outcomes(own).items():
            found, other = (_against(own.assign(value=values), vary) for vary in (ORDER, ANY))
            said.append(_told(model, outcome, found, other))
            for source, *numbers in (
                (ORDER, found.order, found.order_low, found.order_high),
                (ANY, other.order, other.order_low, other.order_high),
                (DRAW, found.draw, found.draw_low, found.draw_high),
            ):
                estimates = dict(zip(("estimate", "low", "high"), numbers, strict=True))
                rows.append({"model": model, "outcome": outcome, "source": source, **estimates})
    frame = pd.DataFrame(rows)
    title = f"Order against draw at {config.shots} shots on {config.data}"
    chart = dot_figure(frame, "source", title, "Standard deviation", domain=None, panel="outcome", width=320)
    text = [interval(e, lo, hi) for e, lo, hi in frame[["estimate", "low", "high"]].to_numpy().tolist()]
    wide = frame.assign(text=text).pivot(index=["model", "outcome"], columns="source", values="text").reset_index()
    caption = "Standard deviation of a query's outcome, with its 95 % interval over concept pairs"
    return Findings(title, [Section("Order and draw", said, chart, tables=[Table(caption, wide)])])


def _outcomes(own: pd.DataFrame) -> dict[str, pd.Series]:
    """Whether an answer is right, and by how much the true name is more likely, where a model tells."""
    if own["correct_candidate"].isna().any():
        return {RIGHT: own["correct_open"].astype(float)}
    margin = own["loglik_true"] / own["tokens_true"] - own["loglik_other"] / own["tokens_other"]
    return {RIGHT: own["correct_candidate"].astype(float), MARGIN: margin}


def _against(own: pd.DataFrame, vary: str) -> OrderAndDraw:
    """Orders of one kind against draws."""
    from lcl_lab.analysis import order_and_draw

    wide = own.pivot(index=["pair", "query_id"], columns=["vary", "number"], values="value")
    first = wide[ORDER][0]
    orders, draws = (wide[kind].assign(first=first) for kind in (vary, DRAW))
    return order_and_draw(orders.to_numpy(), draws.to_numpy(), wide.index.get_level_values("pair").to_numpy())


def _told(model: str, outcome: str, found: OrderAndDraw, other: OrderAndDraw) -> str:
    from lcl_lab.studies._findings import interval

    told = (
        f"**{model}**, {outcome}: standard deviation {interval(found.order, found.order_low, found.order_high)} over "
        f"balanced orders of one support, {interval(other.order, other.order_low, other.order_high)} over any, "
        f"{interval(found.draw, found.draw_low, found.draw_high)} over supports"
    )
    if found.share == found.share:
        share = interval(found.share, found.share_low, found.share_high, places=2)
        told += f"; a balanced order alone makes {share} of the variance over supports"
    if outcome == RIGHT:
        shares = (2 * value**2 for value in (found.order, other.order, found.draw))
        told += "; two of them disagree on {:.1%}, {:.1%} and {:.1%} of queries".format(*shares)
    return f"{told}."


STUDY = Study("order", __doc__ or "", Order, PRESETS, _plan, _find, reference=False)

if __name__ == "__main__":
    run_program(STUDY.main)
