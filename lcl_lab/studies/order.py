"""Does the order of the shots matter, beside which shots were drawn?

Question   How much do answers change when the same support is shown in another order, against how much they
           change with another support?
Source     Lu et al., "Fantastically ordered prompts", arXiv 2104.08786; the paper fixes one order and never says
           how much hangs on it.
Design     Every support is shown in several orders with the same queries after it, and every concept pair has
           several supports. Random effects: order within support, query within support, support within pair.
Command    python -m lcl_lab.studies.order
Time       about a minute and a half on two cores
Expect     link-trained models hardly mind the order; which images were drawn matters more.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pydantic import Field

from lcl_lab.cli import run_program
from lcl_lab.errors import UserError
from lcl_lab.studies._options import EpisodeConfig
from lcl_lab.studies._study import Presets, Study

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.studies._findings import Findings
    from lcl_lab.studies._plan import Plan

__all__ = ["STUDY", "Order"]

RIGHT, MARGIN = "accuracy", "margin (nats a token)"


class Order(EpisodeConfig):
    """How many orders of a support, and how many supports and queries."""

    model: tuple[str, ...] = Field(
        ("mini/2-way", "mini/mix"), min_length=1, max_length=8, description="names as in every study"
    )
    queries: int = Field(400, ge=1, description="queries under each order")
    queries_per_support: int = Field(4, ge=2, description="queries that share a support")
    shots: int = Field(8, ge=2, description="support images in all, half of each concept")
    orders: int = Field(5, ge=2, description="orders of every support")


PRESETS: Presets = {
    "default": {},
    "tiny": {"queries": 80, "data": "isekai-mini", "shots": 4, "orders": 2, "queries_per_support": 2},
    "paper": {"queries": 4000, "shots": 16, "orders": 24},
}


def _plan(config: Order) -> Plan:
    from lcl_lab.concepts import load_concepts
    from lcl_lab.episodes import Episode, check_shots, draw_episode, reorder
    from lcl_lab.studies._plan import of_episodes

    concepts = load_concepts(config.data)
    check_shots(concepts, config.shots, config.queries_per_support)
    least = 2 * len(concepts.pairs) * config.queries_per_support
    if config.queries < least:
        raise UserError(
            f"--queries {config.queries}: two supports of {config.queries_per_support} queries for each of the "
            f"{len(concepts.pairs)} pairs of {concepts.name} are {least}"
        )

    def under(order: int, query: int) -> Episode:
        drawn = draw_episode(concepts, config.seed, query, config.shots, config.queries_per_support)
        return reorder(drawn, order)

    conditions = [({"shots": config.shots, "order": order}, partial(under, order)) for order in range(config.orders)]
    whole = config.queries // least * least  # as many supports of every pair
    return of_episodes(
        concepts, whole, conditions, config.queries_per_support, shots=config.shots, orders=config.orders
    )


def _find(config: Order, records: pd.DataFrame) -> Findings:
    import pandas as pd

    from lcl_lab.figures import dots_chart
    from lcl_lab.studies._compare import asked_models
    from lcl_lab.studies._findings import Findings, Section, Table, interval

    rows, said = [], []
    for model in asked_models(records, config.model):
        own = records[records["model"] == model]
        for outcome, values in _outcomes(own).items():
            numbers, told = _components(config, model, outcome, own.assign(value=values))
            rows += numbers
            said.append(told)
    frame = pd.DataFrame(rows)
    title = f"Order against draw at {config.shots} shots on {config.data}"
    chart = dots_chart(frame, "source", title, "Standard deviation", domain=None, guide=0.0, panel="outcome", width=320)
    text = [interval(e, lo, hi) for e, lo, hi in frame[["estimate", "low", "high"]].to_numpy().tolist()]
    wide = frame.assign(text=text).pivot(index=["model", "outcome"], columns="source", values="text").reset_index()
    caption = "Standard deviations of a support's mean, with 95 % intervals over concept pairs"
    return Findings(title, [Section("Order and draw", said, chart, tables=[Table(caption, wide)])])


def _outcomes(own: pd.DataFrame) -> dict[str, pd.Series]:
    """Whether an answer is right, and by how much the true name is more likely, where a model tells."""
    if own["correct_candidate"].isna().any():
        return {RIGHT: own["correct_open"].astype(float)}
    margin = own["loglik_true"] / own["tokens_true"] - own["loglik_other"] / own["tokens_other"]
    return {RIGHT: own["correct_candidate"].astype(float), MARGIN: margin}


def _components(config: Order, model: str, outcome: str, own: pd.DataFrame) -> tuple[list[dict[str, object]], str]:
    import numpy as np

    from lcl_lab.analysis import cell_rng, order_and_draw
    from lcl_lab.studies._findings import interval

    wide = own.pivot(index=["support_id", "query_id"], columns="order", values="value")
    supports = wide.index.get_level_values("support_id").unique()
    values = wide.to_numpy(float).reshape(len(supports), -1, config.orders).transpose(0, 2, 1)
    pairs = own.drop_duplicates("support_id").set_index("support_id")["pair"].loc[supports]
    found = order_and_draw(values, pairs.to_numpy(), cell_rng(config.seed, (model, outcome)))
    rows: list[dict[str, object]] = [
        {"model": model, "outcome": outcome, "source": source, "estimate": estimate, "low": low, "high": high}
        for source, estimate, low, high in (
            ("order", found.order, found.order_low, found.order_high),
            ("draw", found.draw, found.draw_low, found.draw_high),
        )
    ]
    told = (
        f"**{model}**, {outcome}: the mean of a support's queries has a standard deviation of "
        f"{interval(found.order, found.order_low, found.order_high)} over orders of it and "
        f"{interval(found.draw, found.draw_low, found.draw_high)} over draws of a support for the same pair"
    )
    if outcome == RIGHT:
        mean = np.mean(wide.to_numpy(float), axis=1)
        told += (
            f"; {float(((mean > 0) & (mean < 1)).mean()):.1%} of queries are right in some orders and wrong in others"
        )
    return rows, f"{told}."


STUDY = Study("order", __doc__ or "", Order, PRESETS, _plan, _find, reference=False)

if __name__ == "__main__":
    run_program(STUDY.main)
