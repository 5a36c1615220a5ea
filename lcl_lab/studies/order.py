"""Does the order of the shots matter, compared with which shots were drawn?

Question   How much does an answer change when the same support is shown in another order, compared with how much it
           changes with another support?
Source     Lu et al., "Fantastically ordered prompts", arXiv 2104.08786; the paper fixes one order and does not report
           how much depends on it.
Design     Every query is evaluated with several orders of one support, and with several supports of the same pair.
           Orders are balanced, as those of all supports are (every two shots are one of each concept), and, as a
           separate condition, unrestricted. Variances are within queries, so the difficulty of a query does not count.
Command    python -m lcl_lab.studies.order
Time       under a minute on two cores
Expect     much of the change due to another support is due to its order alone, and an unbalanced order changes more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from pydantic import Field

from lcl_lab import analysis, episodes, evaluation, figures, reporting
from lcl_lab.studies import comparisons
from lcl_lab.studies.study import Study
from lcl_lab.studies.study_config import EpisodeConfig
from lcl_lab.studies.variance_section import OutcomeVariance, outcome_variance, variance_section

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.analysis import Estimate, OrderAndDraw
    from lcl_lab.episodes import Episode
    from lcl_lab.evaluation import Design, Value
    from lcl_lab.reporting import Findings, Statement

__all__ = ["STUDY", "Order"]

ACCURACY, MARGIN = "accuracy", "margin (nats per token)"
ORDER, ANY, DRAW = "balanced order", "any order", "draw"
_METHOD = "variance within queries; of accuracy with Wilson's interval, else the jackknife over concept pairs"


class Order(EpisodeConfig):
    """The numbers of orders and of supports."""

    PRESETS = {
        "default": {},
        "tiny": {"queries": 40, "data": "isekai-mini", "shots": 4, "repeats": 3},
        "paper": {"queries": 2000, "shots": 16, "repeats": 12},
    }

    model: tuple[str, ...] = Field(
        ("mini/2-way", "mini/mix"), min_length=1, max_length=8, description="models, named as in every study"
    )
    shots: int = Field(8, ge=2, description="support images in total, half of each concept")
    repeats: int = Field(4, ge=2, le=1000, description="number of orders of one support, and number of supports")


def _design(config: Order) -> Design:
    dataset = config.load_dataset()
    episodes.check_shots(dataset, config.shots, config.queries_per_support)

    def draw(vary: str, number: int, query: int) -> Episode:
        episode = episodes.draw_episode(dataset, config.seed, query, config.shots, config.queries_per_support)
        return episodes.redraw(episode, number) if vary == DRAW else episodes.reorder(episode, number, vary == ORDER)

    # Number 0, the support as drawn first, is the same for all three and is evaluated once.
    varied = [(ORDER, 0), *((vary, number) for vary in (ORDER, ANY, DRAW) for number in range(1, config.repeats))]
    conditions: list[tuple[Mapping[str, Value], Callable[[int], Episode]]] = [
        ({"shots": config.shots, "vary": vary, "number": number}, partial(draw, vary, number))
        for vary, number in varied
    ]
    return evaluation.episode_design(
        dataset,
        config.queries,
        conditions,
        config.queries_per_support,
        shots=config.shots,
        repeats=config.repeats,
    )


@dataclass(frozen=True)
class _Deviations:
    """Standard deviations of one outcome of one model.

    Attributes:
        outcome: `ACCURACY` or `MARGIN`.
        balanced: over balanced orders of one support.
        unrestricted: over unrestricted orders of one support.
        draw: over supports.
        share: variance over balanced orders divided by variance over supports; None if there is no interval for it,
            because nothing varies, or only the queries of one pair do.
    """

    outcome: str
    balanced: Estimate
    unrestricted: Estimate
    draw: Estimate
    share: Estimate | None

    @property
    def by_source(self) -> Mapping[str, Estimate]:
        return {ORDER: self.balanced, ANY: self.unrestricted, DRAW: self.draw}


def _analyse(config: Order, records: pd.DataFrame) -> Findings:
    deviations = [
        _deviations(rows.assign(value=values), model, metric, outcome)
        for model, metric, rows in comparisons.per_model_and_metric(records, config.model)
        for outcome, values in _outcomes(rows, metric)
    ]
    title = f"Order against draw at {config.shots} shots on {config.data}"
    table = reporting.Table.from_rows(
        "Standard deviation of a query's outcome, with 95 % intervals over concept pairs",
        [_row(estimate) for deviation in deviations for estimate in deviation.by_source.values()],
        across="source",
        rows=("model", "metric", "outcome"),
        estimand="standard deviation",
        method=_METHOD,
        decimals=3,
    )
    chart = figures.dot_figure(
        table.frame, "source", title, "Standard deviation", domain=None, panel="outcome", width=320
    )
    statements = [_statement(deviation) for deviation in deviations]
    sections = [
        reporting.Section("Order and draw", statements, chart, tables=[table]),
        variance_section(list(_variances(config, records))),
    ]
    return reporting.Findings(title, list(filter(None, sections)))


def _variances(config: Order, records: pd.DataFrame) -> Iterator[OutcomeVariance | None]:
    """The sources of variance of accuracy over supports, the first of which is that of the orders."""
    drawn = records[(records["vary"] == DRAW) | (records["number"] == 0)]
    for model, metric, rows in comparisons.per_model_and_metric(drawn, config.model):
        yield outcome_variance(rows, analysis.METRICS[metric], model, metric, ACCURACY, draw="number")


def _outcomes(rows: pd.DataFrame, metric: str) -> Iterator[tuple[str, pd.Series]]:
    """Whether an answer is correct, and for candidates by how much the true name is more likely."""
    yield ACCURACY, rows[analysis.METRICS[metric]].astype(float)
    if metric == "candidate":
        yield MARGIN, rows["loglik_true"] / rows["tokens_true"] - rows["loglik_other"] / rows["tokens_other"]


def _deviations(rows: pd.DataFrame, model: str, metric: str, outcome: str) -> _Deviations:
    balanced, unrestricted = (_order_and_draw(rows, vary) for vary in (ORDER, ANY))

    def estimate(
        value: float, low: float, high: float, estimand: str = "standard deviation", **condition: str
    ) -> Estimate:
        return analysis.Estimate(
            value=value,
            low=low,
            high=high,
            n=balanced.n,
            clusters=balanced.clusters,
            estimand=estimand,
            metric=metric,
            model=model,
            condition={"outcome": outcome, **condition},
            method=_METHOD,
        )

    share = estimate(balanced.share, balanced.share_low, balanced.share_high, "share of variance due to balanced order")
    return _Deviations(
        outcome,
        balanced=estimate(balanced.order, balanced.order_low, balanced.order_high, source=ORDER),
        unrestricted=estimate(unrestricted.order, unrestricted.order_low, unrestricted.order_high, source=ANY),
        draw=estimate(balanced.draw, balanced.draw_low, balanced.draw_high, source=DRAW),
        share=share if math.isfinite(share.low) and math.isfinite(share.high) else None,
    )


def _order_and_draw(rows: pd.DataFrame, vary: str) -> OrderAndDraw:
    """Orders of one kind against draws."""
    wide = rows.pivot(index=["pair", "query_id"], columns=["vary", "number"], values="value")
    first = wide[ORDER][0]
    orders, draws = (wide[kind].assign(first=first) for kind in (vary, DRAW))
    pairs = wide.index.get_level_values("pair").to_numpy()
    return analysis.order_and_draw(orders.to_numpy(), draws.to_numpy(), pairs)


def _row(estimate: Estimate) -> dict[str, object]:
    return {
        "model": estimate.model,
        "metric": estimate.metric,
        **estimate.condition,
        "estimate": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "n": estimate.n,
        "clusters": estimate.clusters,
    }


def _statement(deviations: _Deviations) -> Statement:
    template = (
        "{model}, {metric}, {outcome}: standard deviation {balanced} over balanced orders of one support, "
        "{unrestricted} over any, {draw} over supports"
    )
    values: dict[str, object] = {
        "outcome": deviations.outcome,
        "balanced": deviations.balanced,
        "unrestricted": deviations.unrestricted,
        "draw": deviations.draw,
    }
    if deviations.share is not None:
        template += "; balanced order alone accounts for {share:2} of the variance over supports"
        values["share"] = deviations.share
    if deviations.outcome == ACCURACY:
        template += (
            "; two of them disagree on {balanced_disagree:.1%}, {unrestricted_disagree:.1%} and {draw_disagree:.1%} "
            "of queries"
        )
        # Two independent 0/1 outcomes with variance v differ with probability 2v.
        values |= {
            f"{name}_disagree": 2 * getattr(deviations, name).value ** 2
            for name in ("balanced", "unrestricted", "draw")
        }
    return reporting.Statement(f"{template}.", values, deviations.balanced.metric, deviations.balanced.model)


STUDY = Study("order", _design, _analyse, Order, __doc__ or "", reference=False)

if __name__ == "__main__":
    from lcl_lab.commands import study_program

    study_program(STUDY).main()
