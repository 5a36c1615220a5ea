"""Power against the number of concept pairs, for several differences: how much a study of a size can show."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from lcl_lab import analysis, figures
from lcl_lab.progress import track
from lcl_lab.studies.sample_size import QUERIES_PER_PAIR, PowerConfig, clustering_of

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.analysis import Clustering

__all__ = ["PowerCurves", "power_curves"]

_FACTORS = (0.5, 1, 2)  # of the difference to detect
_STUDIES = 400
_STRATEGY_STUDIES = 4000  # which are drawn from mean squares alone
_QUERIES = 4  # per concept pair, where panels are numbers of trainings
_PAIRS = tuple(2**k for k in range(3, 12))
_DELAY = 3.0  # seconds before the progress bar


@dataclass(frozen=True, eq=False)
class PowerCurves:
    """Power over the number of concept pairs.

    Attributes:
        points: one row per design, difference and number of pairs, with the columns design, queries_per_pair,
            trainings, difference, pairs, estimate (the power), and low and high, the limits of its simulation.
        target: the power to reach.
        title: what was assumed.
    """

    points: pd.DataFrame
    target: float
    title: str

    @cached_property
    def figure(self) -> figures.Figure:
        """The curves, one panel per design, with a line at the target."""
        return figures.power_figure(self.points, self.target, self.title)

    def _repr_html_(self) -> str:
        return self.figure._repr_html_()


def power_curves(config: PowerConfig | None = None, **options: Any) -> PowerCurves:
    """Simulate the power for half the difference, the difference and twice the difference.

    One panel per number of queries per pair; with `seed_deviation`, per number of trainings, at four queries per pair.

    Args:
        config: the options; None builds them from `options`.
        **options: fields of `PowerConfig`.

    Raises:
        UserError: an option is wrong, or the difference is impossible under the clustering.
    """
    config = config or PowerConfig.create(**options)
    clustering = clustering_of(config)
    # An impossible difference is reported before the simulations start.
    analysis.power(config.difference, clustering, 2, 1, np.random.default_rng(0), studies=1)
    differences = [config.difference * factor for factor in _FACTORS]
    possible = [difference for difference in differences if difference <= clustering.changed]
    designs = _designs(config)
    curves = [(design, difference) for design in designs for difference in possible]
    points = [_points(config, clustering, *curve) for curve in track(curves, "power curves", delay=_DELAY)]
    title = f"Power where {clustering.changed:.0%} of queries change, correlation {clustering.correlation:.2f}"
    if config.seed_deviation is not None:
        title += f", deviation between trainings {config.seed_deviation:g}"
    return PowerCurves(analysis.concat_estimates(points), config.power, title)


def _designs(config: PowerConfig) -> list[tuple[str, int, int]]:
    """The title, queries per pair and trainings of each panel."""
    if config.seed_deviation is None:
        return [(f"{each} queries per pair" if each > 1 else "1 query per pair", each, 1) for each in QUERIES_PER_PAIR]
    return [(f"{count} trainings per strategy", _QUERIES, count) for count in config.trainings]


def _points(
    config: PowerConfig, clustering: Clustering, design: tuple[str, int, int], difference: float
) -> pd.DataFrame:
    """The points of one curve, up to where it is flat."""
    title, each, trainings = design
    deviation = config.seed_deviation

    def power_of(pairs: int) -> float:
        # The same draws for all differences of a panel keep its curves in order.
        rng = np.random.default_rng([config.seed, each, trainings, pairs])
        if deviation is None:
            return analysis.power(difference, clustering, pairs, each, rng, _STUDIES)
        return analysis.strategy_power(
            difference, clustering, trainings, deviation, pairs, each, rng, _STRATEGY_STUDIES
        )

    curve = analysis.power_curve(power_of, _PAIRS, _STUDIES if deviation is None else _STRATEGY_STUDIES)
    return curve.assign(design=title, queries_per_pair=each, trainings=trainings, difference=f"{difference:g}")
