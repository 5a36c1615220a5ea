"""Does it matter which images a support shows, and in which order?

Question   How much is gained by a support that is chosen for the query, or for its diversity, over a random one?
Source     Yang et al., "An empirical study of GPT-3 for few-shot knowledge-based VQA", arXiv 2109.05014 (RICES); Lu et
           al., "Fantastically ordered prompts", arXiv 2104.08786.
Design     For each query, supports of equal size are chosen from the same larger one: at random, the images most
           similar to the query by a CLIP, the least similar ones, and a diverse set. Each has as many images of either
           concept, and the same sequence of labels. The random support is also shown in several orders, of which the
           best and the worst are counted. All are compared with the random one on the same queries.
Command    python -m lcl_lab.studies.selection
Time       two minutes on two cores
Expect     on the embedded world no choice of images differs from a random one, and the order matters more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
from pydantic import Field

from lcl_lab import analysis, episodes, evaluation, figures, models, reporting
from lcl_lab.errors import UserError
from lcl_lab.studies import comparisons
from lcl_lab.studies.study import Study
from lcl_lab.studies.study_config import EpisodeConfig

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.episodes import Episode, Selection
    from lcl_lab.evaluation import Design
    from lcl_lab.reporting import Findings, Statement

__all__ = ["STUDY", "SelectionConfig"]

RANDOM: Final = "random"
BEST, WORST = "best order", "worst order"
_OF_ORDERS = "paired difference, sign-flip interval over concept pairs"  # of no two prompts, so at one look only


class SelectionConfig(EpisodeConfig):
    """Sizes of supports and of what they are chosen from, and the number of orders."""

    PRESETS = {
        "default": {},
        "tiny": {"queries": 12, "shots": 4, "pool": 12, "orders": 2, "model": ("mini/base", "mini/2-way")},
        "paper": {"queries": 5000},
    }

    model: tuple[str, ...] = Field(
        ("mini/base", "mini/mix", "mini/2-way"),
        min_length=1,
        max_length=8,
        description="models, named as in every study",
    )
    shots: int = Field(4, ge=2, description="support images in total, half of each concept")
    pool: int = Field(32, ge=2, description="images that supports are chosen from, half of each concept")
    orders: int = Field(4, ge=2, le=100, description="orders of the random support, with its own")
    clip: str = Field(
        "mini/prototype",
        description="CLIP that measures similarity, and that pairs look-alikes in a folder without pairs.csv: "
        "mini/prototype or MODEL:PRETRAINED of open_clip",
    )


def _design(config: SelectionConfig) -> Design:
    if config.queries_per_support != 1:
        reason = "every query has its own support, which is chosen for it"
        raise UserError(reason, option="queries_per_support", value=config.queries_per_support)
    if config.protocol == "release":
        raise UserError(
            "the release fixes the supports, so that none can be chosen", option="protocol", value="release"
        )
    if config.shots >= config.pool:
        raise UserError(f"must be more than the {config.shots} shots", option="pool", value=config.pool)
    dataset = config.load_dataset()
    episodes.check_shots(dataset, config.shots)
    if config.pool % 2:
        raise UserError(
            "half of the pool belongs to each concept; give an even number", option="pool", value=config.pool
        )
    episodes.check_shots(dataset, config.pool)
    features = models.ImageFeatures(config.clip, dataset.image)

    def choose(how: Selection, query: int) -> Episode:
        pool = episodes.draw_episode(dataset, config.seed, query, config.pool)
        if how != RANDOM:
            features.encode([pool.query, *(example.image for example in pool.support)])
        return episodes.select_support(pool, how, config.shots, features)

    def order(number: int, query: int) -> Episode:
        return episodes.reorder(choose(RANDOM, query), number)

    draws: dict[str, Callable[[int], Episode]] = {how: partial(choose, how) for how in episodes.SELECTIONS}
    draws |= {_order(number): partial(order, number) for number in range(1, config.orders)}
    return evaluation.episode_design(
        dataset,
        config.queries,
        [({"selection": name}, draw) for name, draw in draws.items()],
        shots=config.shots,
        pool=config.pool,
        clip=features.fingerprint,
    )


def _order(number: int) -> str:
    return f"order {number}"


def _analyse(config: SelectionConfig, records: pd.DataFrame) -> Findings:
    shown = _with_best_and_worst(records)
    names = [*episodes.SELECTIONS, BEST, WORST]
    estimates = analysis.accuracy(shown, ["model", "selection"], config.seed)
    estimates = estimates[estimates["selection"].isin(names)].set_index("selection")
    estimates = estimates.loc[[name for name in names if name in estimates.index]].reset_index()
    main = estimates[estimates["metric"].isin(analysis.MAIN_METRICS) & estimates["model"].isin(config.model)]
    title = f"Choice of {config.shots} shots out of {config.pool} on {config.data}"
    caption = "Accuracy, with 95 % intervals over concept pairs"
    statements, tables = [], [comparisons.accuracy_table(estimates, "selection", caption, in_order=True)]
    for metric in comparisons.metrics_in(records[records["model"].isin(config.model)]):
        tested = [
            comparisons.change(rows, metric, {"selection": RANDOM}, {"selection": name}, model)
            for model, rows in comparisons.per_model(shown, config.model)
            for name in names[1:4]
        ]
        rows = [{"model": one.model, "selection": one.b["selection"]} for one in tested]
        table, counted = comparisons.family_of_tests(
            tested, rows, metric, "differences from a random support", f"Change from a random support, {metric}"
        )
        tables.append(table)
        statements.append(counted)
    sections = [
        reporting.Section(
            "Chosen supports against random ones",
            [*_changes(config, shown, list(episodes.SELECTIONS[1:]), analysis.PAIRED), *statements],
            figures.dot_figure(main, "selection", title, guide=0.5, panel="metric"),
            tables=tables,
        ),
        reporting.Section(
            f"The best and the worst of {config.orders} orders",
            [
                reporting.Statement(
                    "The best order is known only once all are answered: a query counts as right if any order is. The "
                    "two are limits of what a choice among these orders can change."
                ),
                *_changes(config, shown, [BEST, WORST], _OF_ORDERS),
            ],
        ),
    ]
    return reporting.Findings(title, sections)


def _changes(config: SelectionConfig, records: pd.DataFrame, names: list[str], method: str) -> list[Statement]:
    """Paired changes from the random support, one sentence per model, metric and choice."""
    template = (
        "{model}, {metric}, {selection}: {change.value_b:.3f} against {change.value_a:.3f}; {change}, {change:p}."
    )
    sentences = []
    for model, metric, rows in comparisons.per_model_and_metric(records, config.model):
        for name in names:
            change = comparisons.change(rows, metric, {"selection": RANDOM}, {"selection": name}, model)
            values = {"selection": name, "change": replace(change, method=method)}
            sentences.append(reporting.Statement(template, values, metric, model))
    return sentences


def _with_best_and_worst(records: pd.DataFrame) -> pd.DataFrame:
    """Records with two more values of `selection`: the best and the worst outcome of each query over all orders."""
    of_orders = records[records["selection"].str.startswith("order ") | (records["selection"] == RANDOM)]
    outcomes = [column for column in analysis.METRICS.values() if of_orders[column].notna().any()]
    keys = ["model", "query_id"]
    first = of_orders[of_orders["selection"] == RANDOM].set_index(keys).sort_index()
    grouped = of_orders.astype(dict.fromkeys(outcomes, np.float64)).groupby(keys)[outcomes]
    limits = [
        first.assign(selection=name, **{column: values[column] for column in outcomes}).reset_index()
        for name, values in ((BEST, grouped.max()), (WORST, grouped.min()))
    ]
    return analysis.concat_estimates([records, *limits])


STUDY = Study("selection", _design, _analyse, SelectionConfig, __doc__ or "", in_all=False)

if __name__ == "__main__":
    from lcl_lab.commands import study_program

    study_program(STUDY).main()
