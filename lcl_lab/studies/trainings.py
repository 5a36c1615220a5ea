"""Claims about strategies, from the trainings at hand: several are a sample of trainings, and one is no sample.

Two trainings of a strategy that differ in their seed differ in accuracy. With several trainings, a claim is assessed
over training seeds and concept pairs; with one, the checkpoints are compared and the claim stays inconclusive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, model_validator

from lcl_lab import analysis, models, reporting
from lcl_lab.config import KeyValues
from lcl_lab.errors import UserError, nearest
from lcl_lab.studies import comparisons
from lcl_lab.studies.study_config import EpisodeConfig

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from lcl_lab.analysis import Comparison, StrategyDifference
    from lcl_lab.reporting import Claim, Verdict

__all__ = [
    "TrainingsConfig",
    "assess_change",
    "assess_difference",
    "by_strategy",
    "strategy_comparison",
    "verdict_without_trainings",
]

_DIFFERENCE = "crossed random effects of trainings and concept pairs, two sets of trainings"
_CHANGE = "crossed random effects of trainings and concept pairs, one set of trainings"


class TrainingsConfig(EpisodeConfig):
    """Options of studies that group models by the strategy of their training."""

    strategy_of: KeyValues = Field(
        {}, description="MODEL=STRATEGY, the strategy that a model was trained with; default: that of its card"
    )

    @model_validator(mode="after")
    def _known_models(self) -> Self:
        known = {name for model in self.models for name in (model, model.partition("=")[0])}
        for model in self.strategy_of:
            if model not in known:
                raise UserError(f"no such model; {nearest(model, known)}", option="strategy_of", value=model)
        return self

    def renamed(self, names: Mapping[str, str]) -> Self:
        """A copy with each model under the name that its records have, and the strategies of those renamed."""
        of_cards = {names[model]: models.strategy_of(model) for model in self.models if names[model] != model}
        known = {name: strategy for name, strategy in of_cards.items() if strategy is not None}
        return super().renamed(names).model_copy(update={"strategy_of": {**known, **self.strategy_of}})

    def strategy(self, model: str) -> str | None:
        """The strategy of a model, named as in the records; None if neither option nor card says it."""
        strategy = self.strategy_of.get(model)
        return models.strategy_of(model) if strategy is None else str(strategy)


def by_strategy(config: TrainingsConfig, records: pd.DataFrame, among: Sequence[str]) -> dict[str, list[str]]:
    """Those of the models `among` that have records and a known strategy, by strategy.

    None where all records are of one concept pair, which shows nothing of others.
    """
    grouped: dict[str, list[str]] = {}
    if records["pair"].nunique() < 2:
        return grouped
    for model in comparisons.evaluated_models(records, among):
        strategy = config.strategy(model)
        if strategy:
            grouped.setdefault(strategy, []).append(model)
    return grouped


def verdict_without_trainings(a: Sequence[str], b: Sequence[str]) -> Verdict | None:
    """The verdict on two strategies if one of them has a single training; None if both have several."""
    counts = {len(a), len(b)}
    if 1 not in counts:
        return None
    return reporting.ONE_TRAINING_EACH if counts == {1} else reporting.ONE_TRAINING


def strategy_comparison(
    records: pd.DataFrame,
    metric: str,
    strategies: tuple[str, str],
    trainings: tuple[Sequence[str], Sequence[str]],
    **condition: Any,
) -> Comparison:
    """The accuracy of the second strategy minus that of the first, over trainings and concept pairs.

    Args:
        records: records of all trainings.
        metric: a key of `analysis.METRICS`.
        strategies: the names of both strategies.
        trainings: the models of each, two or more.
        **condition: the condition under which they are compared.

    Raises:
        UserError: as `analysis.difference_of_strategies`.
    """
    a, b, pairs = _outcomes(records, metric, trainings, (condition, condition))
    difference = analysis.difference_of_strategies(a, b, pairs)
    sides = [{"strategy": strategy} for strategy in strategies]
    return _comparison(difference, metric, sides[0], sides[1], condition, _DIFFERENCE)


def assess_difference(
    config: TrainingsConfig,
    records: pd.DataFrame,
    source: str,
    claim: str,
    strategies: tuple[str, str],
    above: float | None = None,
    metric: str = "candidate",
    **condition: Any,
) -> Claim | None:
    """Assess a claim about the accuracy of the second strategy minus that of the first.

    Args:
        config: the options of the study.
        records: its records.
        source: table or figure of the paper.
        claim: the claim in words.
        strategies: the names of both strategies.
        above: the difference lies above it, according to the claim.
        metric: a key of `analysis.METRICS`.
        **condition: the condition under which they are compared.

    Returns:
        The claim; None if a strategy has no training among the models.
    """
    grouped = by_strategy(config, records, config.model)
    if not set(strategies) <= set(grouped):
        return None
    trainings = grouped[strategies[0]], grouped[strategies[1]]
    place = reporting.format_condition(condition)
    verdict = verdict_without_trainings(*trainings)
    if verdict is None:
        counts = f"{len(trainings[1])} and {len(trainings[0])} trainings"
        comparison = strategy_comparison(records, metric, strategies, trainings, **condition)
        return reporting.assess(
            source, claim, f"{strategies[1]} − {strategies[0]}, {place}, {counts}", comparison, above=above
        )
    a, b = trainings[0][0], trainings[1][0]
    of_checkpoints = comparisons.change(records, metric, {"model": a, **condition}, {"model": b, **condition})
    assessed = reporting.assess(source, claim, f"{b} − {a}, {place}", of_checkpoints, above=above)
    return replace(assessed, verdict=verdict, p_value=None)


def assess_change(
    config: TrainingsConfig,
    records: pd.DataFrame,
    source: str,
    claim: str,
    strategy: str,
    conditions: tuple[Mapping[str, Any], Mapping[str, Any]],
    above: float | None = None,
    below: float | None = None,
    metric: str = "candidate",
) -> Claim | None:
    """Assess a claim about the change in a strategy's accuracy from one condition to another.

    Args:
        config: the options of the study.
        records: its records.
        source: table or figure of the paper.
        claim: the claim in words.
        strategy: the name of the strategy.
        conditions: column values that select both conditions.
        above: the change lies above it, according to the claim.
        below: the change lies below it, according to the claim.
        metric: a key of `analysis.METRICS`.

    Returns:
        The claim; None if the strategy has no training among the models.
    """
    trainings = by_strategy(config, records, config.model).get(strategy, [])
    if not trainings:
        return None
    before, after = conditions
    place = ", ".join(
        f"{name} {reporting.format_value(before[name])} to {reporting.format_value(after[name])}" for name in before
    )
    if len(trainings) > 1:
        a, b, pairs = _outcomes(records, metric, (trainings, trainings), conditions)
        difference = analysis.change_of_strategy(a, b, pairs)
        change = _comparison(difference, metric, before, after, {"strategy": strategy}, _CHANGE)
        subject = f"{strategy}, {place}, {len(trainings)} trainings"
        return reporting.assess(source, claim, subject, change, above=above, below=below)
    (model,) = trainings
    rows = records[records["model"] == model]
    of_checkpoint = comparisons.change(rows, metric, before, after, model)
    assessed = reporting.assess(source, claim, f"{model}, {place}", of_checkpoint, above=above, below=below)
    return replace(assessed, verdict=reporting.ONE_TRAINING, p_value=None)


def _outcomes(
    records: pd.DataFrame,
    metric: str,
    trainings: tuple[Sequence[str], Sequence[str]],
    conditions: tuple[Mapping[str, Any], Mapping[str, Any]],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.object_]]:
    """The (R, N) outcomes of both sides on the queries that all of their trainings answered, and the (N,) pairs."""
    sides = []
    for side, condition in zip(trainings, conditions, strict=True):
        rows = records[records["model"].isin(side)]
        for name, value in condition.items():
            rows = rows[rows[name] == value]
        wide = rows.pivot(index=["pair", "query_id"], columns="model", values=analysis.METRICS[metric])
        sides.append(wide[list(side)].astype(float).dropna())
    both = sides[0].index.intersection(sides[1].index)
    a, b = (side.loc[both].to_numpy().T for side in sides)
    return a, b, both.get_level_values("pair").to_numpy()


def _comparison(
    difference: StrategyDifference,
    metric: str,
    a: Mapping[str, Any],
    b: Mapping[str, Any],
    condition: Mapping[str, Any],
    method: str,
) -> Comparison:
    return analysis.Comparison.from_result(
        difference,
        estimand="change in accuracy over trainings",
        metric=metric,
        condition=condition,
        method=method,
        p_value=difference.p_value,
        a=a,
        b=b,
        value_a=difference.accuracy_a,
        value_b=difference.accuracy_b,
        trainings=min(difference.trainings_a, difference.trainings_b),
    )
