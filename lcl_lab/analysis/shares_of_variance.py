"""Shares of variance: how much of it lies between concept pairs, queries, support draws and trainings, and which of
them should be more to halve an interval.

Queries are nested in pairs and support draws in queries; trainings are crossed with all of them.

Letters: R trainings, C pairs, N queries, n queries per pair (harmonic mean), S draws; MS mean squares.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from lcl_lab.analysis.accuracies import require_columns
from lcl_lab.analysis.clusters import cluster_numbers
from lcl_lab.analysis.intervals import FEW, wilson
from lcl_lab.analysis.variance import component_interval, disagreement_interval
from lcl_lab.errors import UserError

__all__ = ["DesignSize", "Enlargement", "Factor", "VarianceComponent", "VarianceShares", "variance_shares"]

Factor = Literal["pairs", "queries", "draws", "trainings"]
_FACTORS: tuple[Factor, ...] = ("pairs", "queries", "draws", "trainings")
_MOST = 1000  # times as many, above which a number is of no use
_ROUNDING = 1e-24  # a mean square below it, relative to the squared outcomes, comes from rounding alone
_SOURCES = {"pairs": "concept pair", "queries": "query", "draws": "support draw"}
_ONE = {
    "queries": "one query per pair; part of the variance between pairs",
    "draws": "one support per query; part of the variance between queries",
    "trainings": "one training",
}


@dataclass(frozen=True)
class DesignSize:
    """How many of each factor a design has.

    Attributes:
        pairs: concept pairs.
        queries: queries per pair; their harmonic mean where pairs differ.
        draws: supports, or orders of a support, per query.
        trainings: trainings of the strategy, evaluated on the same queries.
    """

    pairs: int
    queries: float
    draws: int = 1
    trainings: int = 1


@dataclass(frozen=True)
class VarianceComponent:
    """The variance that one source contributes to an outcome.

    Attributes:
        source: ``"concept pair"``, ``"query"``, ``"support draw"``, ``"training"``, an interaction such as
            ``"training × concept pair"``, or ``"residual"``.
        variance: at least 0.
        low: lower end of its 95 % interval.
        high: upper end of its interval.
        share: of the sum of all components; nan where all are 0.
    """

    source: str
    variance: float
    low: float
    high: float
    share: float


@dataclass(frozen=True)
class Enlargement:
    """What halves an interval.

    Attributes:
        alone: the number of each estimable factor that does so alone; None where 1,000 times as many do not.
        together: the size at which pairs and trainings, increased by the same factor, do so; None if one of them
            suffices, or if even 1,000 times as many of both do not.
    """

    alone: Mapping[Factor, int | None]
    together: DesignSize | None


@dataclass(frozen=True)
class VarianceShares:
    """The sources of variance of an outcome.

    Attributes:
        components: the sources that the design shows.
        not_estimable: the sources that it does not show, each with the reason.
        size: of the design.
        mean: of the outcome over pairs.
        differing: number of outcomes that differ from the most common one.
        level: coverage of intervals.
    """

    components: tuple[VarianceComponent, ...]
    not_estimable: Mapping[str, str]
    size: DesignSize
    mean: float
    differing: int
    level: float = 0.95

    @property
    def half_width(self) -> float:
        """Half the width of the interval of the mean that the components imply."""
        return self.half_width_at(self.size)

    def half_width_at(self, size: DesignSize) -> float:
        """Half the width of the interval of the mean in a design of another size, if the components are true.

        The standard error is that of the mean over all answers; the quantile is Student's with C − 1 degrees of
        freedom, or with several trainings Cochran and Cox's (1957), which `seeds` takes. With one training, the
        interval is that of this training, for new pairs.

        Args:
            size: as many trainings as there are, or more; a single one where there is one.
        """
        across_pairs = across_trainings = 0.0
        for component in self.components:
            variance = component.variance / _units(component.source, size)
            across_pairs += variance * (component.source != "training")
            across_trainings += variance * _is_of_trainings(component.source)
        training = self._variance("training") / size.trainings
        error = (across_pairs + training) ** 0.5
        quantile = float(stats.t.ppf((1 + self.level) / 2, size.pairs - 1))
        if size.trainings > 1 and error > 0:
            of_trainings = float(stats.t.ppf((1 + self.level) / 2, size.trainings - 1))
            quantile = float(np.average([quantile, of_trainings], weights=[across_pairs, across_trainings]))
        return quantile * error

    def halving(self) -> Enlargement:
        """What halves the interval of the mean: the number of pairs, queries per pair, draws or trainings.

        Raises:
            UserError: fewer than 10 outcomes differ from the others, so that the components do not show what a larger
                design would.
        """
        target = self.half_width / 2
        if self.differing < FEW:
            number = f"only {self.differing}" if self.differing else "no"
            raise UserError(
                f"{number} outcome{'s differ' if self.differing > 1 else ' differs'} from the most common one, too few "
                "to say what would halve the interval"
            )
        estimable = [factor for factor in _FACTORS if factor == "pairs" or self._is_estimable(factor)]
        alone = {factor: self._needed(factor, target) for factor in estimable}
        if any(alone.values()):
            return Enlargement(alone, None)

        def grown(percent: int) -> DesignSize:
            pairs, trainings = (ceil(count * percent / 100) for count in (self.size.pairs, self.size.trainings))
            return replace(self.size, pairs=pairs, trainings=trainings)

        percent = _fewest(lambda percent: self.half_width_at(grown(percent)) <= target, 100)
        return Enlargement(alone, None if percent is None else grown(percent))

    def _variance(self, source: str) -> float:
        return next((component.variance for component in self.components if component.source == source), 0.0)

    def _is_estimable(self, factor: Factor) -> bool:
        return _SOURCES.get(factor, "training") not in self.not_estimable

    def _needed(self, factor: Factor, target: float) -> int | None:
        def suffices(count: int) -> bool:
            return self.half_width_at(replace(self.size, **{factor: count})) <= target

        return _fewest(suffices, ceil(getattr(self.size, factor)))


def variance_shares(
    frame: pd.DataFrame,
    column: str,
    pair: str = "pair",
    query: Sequence[str] = ("query_id",),
    draw: str | None = None,
    training: str | None = None,
    level: float = 0.95,
) -> VarianceShares:
    """Components of variance of pairs, queries in pairs, draws in queries, and of trainings crossed with all of them.

    The analysis of variance with random effects, of unweighted means of pairs (Burdick and Graybill 1992, chapters 3
    and 5; Searle et al. 1992). Each level of pairs, queries and draws has a mean square of its means over trainings,
    MS, and one of its interaction with trainings, MS_T. With m answers of one training per unit of a level, its
    component is (MS − MS_T − MS' + MS'_T)/(R·m), where MS' is that of the level below. The interaction's is
    (MS_T − MS'_T)/m, and the trainings' is (MS_R − MS_T)/(C·m) at the level of pairs. The lowest level has nothing to
    be subtracted, and with trainings is the residual. Negative estimates are set to 0.

    Intervals are Williams' (1962), with positive and negative mean squares each added up and given Satterthwaite's
    (1946) degrees of freedom; those of the levels are at most what the kurtosis over pairs supports (in the way of Korn
    and Graubard 1998). The lowest level of 0/1 outcomes of one training has the interval of `order_and_draw`. Where
    nothing varies, the upper end follows from Wilson's limit for a share of 0 in C trials.

    Coverage at level 0.95 in simulations of normal and of 0/1 outcomes with 12 to 50 pairs, 2 to 4 queries per pair, 1
    to 3 draws and 1 to 4 trainings, including deviations of 0: 93 to 100 %.

    Args:
        frame: records of one model, or of trainings of one strategy, under one condition.
        column: the outcome: 0/1, or a paired difference of them.
        pair: the column with the concept pair.
        query: the columns that identify a query.
        draw: the column that numbers the supports, or the orders of one support, of a query; None if there is one.
        training: the column that tells trainings apart, such as ``"model"``; None if there is one.
        level: coverage of the intervals.

    Returns:
        The components of all factors of which there are two or more, and the reasons why others are not estimable.

    Raises:
        UserError: a column is missing, fewer than two pairs, two records of the same answer, or a query without an
            answer of every training with every draw.
    """
    table, groups = _table(frame, column, pair, query, draw, training)
    trainings, _, draws = table.shape
    counts = np.bincount(groups)
    size = DesignSize(len(counts), float(len(counts) / (1 / counts).sum()), draws, trainings)
    levels = _levels(table, groups, size)
    raw = [*_main_components(levels, size, level), *_training_components(levels, table, groups, size, level)]
    if trainings == 1 and len(raw) > 1 and np.isin(table, (0.0, 1.0)).all():
        source, variance, interval = raw[-1]
        raw[-1] = source, variance, _disagreement(table[0], groups, interval, level)
    least = wilson(0, size.pairs, level)[1] if np.abs(table).max() <= 1 else 0.0
    total = sum(max(variance, 0.0) for _, variance, _ in raw)
    components = tuple(
        VarianceComponent(
            source=source,
            variance=max(variance, 0.0),
            low=low,
            high=high or (least**2 if source == "training" else least * (1 - least)),
            share=max(variance, 0.0) / total if total > 0 else float("nan"),
        )
        for source, variance, (low, high) in raw
    )
    return VarianceShares(
        components,
        _not_estimable(levels, size),
        size,
        mean=float(_pair_means(table, groups).mean()),
        differing=table.size - int(np.unique(table, return_counts=True)[1].max()),
        level=level,
    )


@dataclass(frozen=True)
class _MeanSquare:
    """A mean square and its degrees of freedom."""

    value: float
    freedom: float

    @classmethod
    def of(cls, by_pair: NDArray[np.float64], freedoms: NDArray[np.float64], freedom: float) -> _MeanSquare:
        """From (C,) sums of squares and degrees of freedom of each pair; at most as many as their kurtosis supports."""
        value = float(by_pair.sum()) / freedom
        count = len(by_pair)
        spread = float(((by_pair - freedoms * value) ** 2).sum()) * count / (count - 1) / freedom**2
        supported = 2 * value**2 / spread if spread > 0 else freedom
        return cls(value, max(1.0, min(freedom, supported)))

    def plus(self, other: _MeanSquare) -> _MeanSquare:
        """The sum, with Satterthwaite's degrees of freedom."""
        value = self.value + other.value
        parts = self.value**2 / self.freedom + other.value**2 / other.freedom
        return _MeanSquare(value, value**2 / parts if parts > 0 else min(self.freedom, other.freedom))


@dataclass(frozen=True)
class _Level:
    """One level of nesting.

    Attributes:
        factor: whose units it has.
        answers: of one training per unit.
        main: mean square of the means over trainings, multiplied by their number.
        interaction: mean square of the interaction with trainings; None with one.
    """

    factor: Factor
    answers: float
    main: _MeanSquare
    interaction: _MeanSquare | None


_Raw = tuple[str, float, tuple[float, float]]


def _table(
    frame: pd.DataFrame, column: str, pair: str, query: Sequence[str], draw: str | None, training: str | None
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """(R, N, S) outcomes, and the (N,) numbers of the pairs."""
    columns = [name for name in (training, draw) if name is not None]
    require_columns(frame, [column, pair, *query, *columns])
    index = [pair, *query]
    rows = frame[[*index, *columns, column]]
    repeated = rows.duplicated([*index, *columns])
    if repeated.any():
        first = ", ".join(f"{name} {value}" for name, value in rows.loc[repeated, [*index, *columns]].iloc[0].items())
        raise UserError(f"{first} has several records; select one condition, or name draw and training")
    answers = rows.set_index([*index, *columns])[column].astype(float)
    wide = answers.unstack(columns).sort_index(axis=1) if columns else answers.to_frame()
    missing = wide.isna().any(axis=1)
    if missing.any():
        wanted = f"for some {' and '.join(columns)}" if columns else f"in {column!r}"
        raise UserError(f"{int(missing.sum())} queries lack an answer {wanted}")
    groups = cluster_numbers(wide.index.get_level_values(pair))
    if groups.max(initial=0) < 1:
        raise UserError("shares of variance need at least two pairs")
    trainings = frame[training].nunique() if training else 1
    table: NDArray[np.float64] = wide.to_numpy(dtype=np.float64).reshape(len(wide), trainings, -1)
    return np.moveaxis(table, 1, 0), groups


def _pair_means(table: NDArray[np.float64], groups: NDArray[np.intp]) -> NDArray[np.float64]:
    """(K, N, S) values to (K, C) means of pairs."""
    by_query = table.mean(axis=2)
    return np.stack([np.bincount(groups, row) for row in by_query]) / np.bincount(groups)


def _levels(table: NDArray[np.float64], groups: NDArray[np.intp], size: DesignSize) -> list[_Level]:
    """The levels that have two units or more of one unit of the level above, outermost first."""
    average = table.mean(axis=0, keepdims=True)
    deviations = table - average
    rounding = _ROUNDING * float(np.abs(table).max()) ** 2
    main = _mean_squares(average * size.trainings**0.5, groups, size, 1, rounding)
    interaction = _mean_squares(deviations, groups, size, size.trainings - 1, rounding) if size.trainings > 1 else {}
    answers: dict[Factor, float] = {"pairs": size.queries * size.draws, "queries": size.draws, "draws": 1.0}
    return [_Level(factor, answers[factor], main[factor], interaction.get(factor)) for factor in main]


def _mean_squares(
    table: NDArray[np.float64], groups: NDArray[np.intp], size: DesignSize, sets: int, rounding: float
) -> dict[Factor, _MeanSquare]:
    """The mean squares of (K, N, S) values that stand for a number of independent sets; 0 if not above rounding."""
    counts = np.bincount(groups).astype(np.float64)
    by_query, by_pair = table.mean(axis=2), _pair_means(table, groups)
    between = ((by_pair - by_pair.mean(axis=1, keepdims=True)) ** 2).sum(axis=0) * size.queries * size.draws
    squares: dict[Factor, _MeanSquare] = {
        "pairs": _MeanSquare.of(between, np.full(size.pairs, sets * (1 - 1 / size.pairs)), sets * (size.pairs - 1))
    }
    if len(groups) > size.pairs:
        within = ((by_query - by_pair[:, groups]) ** 2).sum(axis=0) * size.draws
        squares["queries"] = _MeanSquare.of(
            np.bincount(groups, within).astype(np.float64), sets * (counts - 1), sets * (len(groups) - size.pairs)
        )
    if size.draws > 1:
        within = ((table - by_query[:, :, None]) ** 2).sum(axis=(0, 2))
        freedom = sets * (size.draws - 1)
        squares["draws"] = _MeanSquare.of(
            np.bincount(groups, within).astype(np.float64), freedom * counts, freedom * len(groups)
        )
    return {
        factor: square if square.value > rounding else replace(square, value=0.0) for factor, square in squares.items()
    }


def _main_components(levels: Sequence[_Level], size: DesignSize, level: float) -> list[_Raw]:
    """The components of pairs, queries and draws."""
    raw = []
    for place, here in enumerate(levels):
        below = levels[place + 1] if place + 1 < len(levels) else None
        positive, negative = here.main, here.interaction
        if below is not None:
            negative = below.main if negative is None else negative.plus(below.main)
            positive = positive if below.interaction is None else positive.plus(below.interaction)
        raw.append(_component(_SOURCES[here.factor], positive, negative, size.trainings * here.answers, level))
    return raw


def _training_components(
    levels: Sequence[_Level], table: NDArray[np.float64], groups: NDArray[np.intp], size: DesignSize, level: float
) -> list[_Raw]:
    """The components of trainings and of their interactions, of which the last is the residual."""
    pairs = levels[0]
    if pairs.interaction is None:
        return []
    means = _pair_means(table, groups).mean(axis=1)
    units = size.pairs * pairs.answers
    between = _MeanSquare(units * float(means.var(ddof=1)), size.trainings - 1)
    raw = [_component("training", between, pairs.interaction, units, level)]
    for place, here in enumerate(levels):
        assert here.interaction is not None
        if place + 1 < len(levels):
            source, below = f"training × {_SOURCES[here.factor]}", levels[place + 1].interaction
        else:
            source, below = "residual", None
        raw.append(_component(source, here.interaction, below, here.answers, level))
    return raw


def _component(source: str, positive: _MeanSquare, negative: _MeanSquare | None, units: float, level: float) -> _Raw:
    """(positive − negative)/units with its interval."""
    if negative is None:
        sums = positive.freedom * positive.value
        upper, lower = stats.chi2.ppf([(1 + level) / 2, (1 - level) / 2], positive.freedom)
        return source, positive.value / units, (sums / float(upper) / units, sums / float(lower) / units)
    interval = component_interval(positive.value, positive.freedom, negative.value, negative.freedom, units, level)
    return source, (positive.value - negative.value) / units, interval


def _disagreement(
    table: NDArray[np.float64], groups: NDArray[np.intp], interval: tuple[float, float], level: float
) -> tuple[float, float]:
    """The interval of the lowest level's variance of (N, S) outcomes of 0 and 1.

    Few queries in few pairs do not show how skewed that variance is: where it is that of queries, the interval also
    contains the one by χ².
    """
    draws = table.shape[1]
    if draws > 1:
        return disagreement_interval(table.var(axis=1, ddof=1), draws, groups, level)
    of_pairs = pd.Series(table[:, 0]).groupby(groups).agg(["var", "size"]).query("size > 1")
    freedom = of_pairs["size"].to_numpy() - 1
    low, high = disagreement_interval(
        np.repeat(of_pairs["var"].to_numpy(), freedom), 2, np.repeat(np.arange(len(freedom)), freedom), level
    )
    return min(low, interval[0]), max(high, interval[1])


def _not_estimable(levels: Sequence[_Level], size: DesignSize) -> dict[str, str]:
    present = {level.factor for level in levels}
    reasons = {_SOURCES[factor]: _ONE[factor] for factor in ("queries", "draws") if factor not in present}
    return reasons | ({"training": _ONE["trainings"]} if size.trainings == 1 else {})


def _is_of_trainings(source: str) -> bool:
    return source == "residual" or source.startswith("training")


def _units(source: str, size: DesignSize) -> float:
    """The number of independent values of a source in a design."""
    answers = {"concept pair": 1.0, "query": size.queries, "support draw": size.queries * size.draws}
    if source == "training":
        return size.trainings
    if source == "residual":
        return size.pairs * size.queries * size.draws * size.trainings
    name = source.removeprefix("training × ")
    return size.pairs * answers[name] * (size.trainings if name != source else 1)


def _fewest(suffices: Callable[[int], bool], present: int) -> int | None:
    """The smallest number above the present one that suffices; None if 1,000 times as many do not."""
    low, high = present, _MOST * present
    if not suffices(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if suffices(middle) else (middle, high)
    return high
