"""How many concept pairs, queries and trainings a study needs to detect a difference.

    lcl power --difference 0.05
    lcl power --difference 0.05 --run results/false_ratio/20260101-120000-0a1b2c3d --a model=mini/2-way false_ratio=0 …
    lcl power --difference 0.05 --seed-deviation 0.02
    lcl power --difference 0.05 --figure power.svg

Studies are simulated and tested as real ones are. With --run, queries change and resemble one another within a
concept pair as they do between the run's conditions a and b; without it, as --changed and --alike say. The difference
is one between two conditions or checkpoints; with --seed-deviation, the standard deviation of accuracy between
trainings of one strategy, it is one between two strategies, each trained several times.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import numpy as np
from pydantic import BeforeValidator, Field, field_validator, model_validator

from lcl_lab import analysis, reporting, store
from lcl_lab.config import Config
from lcl_lab.errors import UserError, nearest
from lcl_lab.figures.formats import Format
from lcl_lab.progress import track

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.analysis import Clustering

__all__ = ["QUERIES_PER_PAIR", "PowerConfig", "SampleSize", "clustering_of", "required_sample_size"]

QUERIES_PER_PAIR = (1, 2, 4, 8)
"""The numbers of queries per concept pair that are planned for."""
_MOST_TRAININGS = 1000  # of a strategy


def _condition(given: Any) -> Any:
    """`COLUMN=VALUE` texts as a mapping in which numbers are numbers."""
    if isinstance(given, Mapping):
        return given
    condition: dict[str, float | str] = {}
    for text in given if isinstance(given, list | tuple) else [given]:
        name, equals, value = str(text).partition("=")
        if not equals:
            raise ValueError("must be COLUMN=VALUE, such as model=mini/2-way")
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        condition[name] = number if math.isfinite(number) else value
    return condition


_Condition = Annotated[dict[str, float | str], BeforeValidator(_condition)]


class PowerConfig(Config):
    """The difference to detect, and how queries behave."""

    difference: float = Field(gt=0, lt=1, description="difference in accuracy to detect, such as 0.05")
    power: float = Field(0.8, gt=0, lt=1, description="probability to detect it at the 5 % level")
    run: Path | None = Field(None, description="run directory to learn from how queries behave")
    a: _Condition = Field({}, description="a condition of the run, as COLUMN=VALUE ...")
    b: _Condition = Field({}, description="another condition of the run")
    metric: Literal["candidate", "open-ended"] = Field("candidate", description="metric of the run")
    changed: float = Field(0.2, ge=0, lt=1, description="share of queries that change")
    alike: float = Field(0.1, ge=0, lt=1, description="correlation within a concept pair")
    seed_deviation: float | None = Field(
        None,
        ge=0,
        lt=0.5,
        description="standard deviation of accuracy between trainings of a strategy; plans a comparison of strategies",
    )
    trainings: tuple[int, ...] = Field(
        (2, 3, 5, 10), min_length=1, description="trainings per strategy, with seed_deviation"
    )
    seed: int = Field(0, ge=0, description="random seed of the simulations")
    figure: Path | None = Field(
        None, description="file for power against concept pairs: .svg, .png, .pdf, .html or .json"
    )

    @field_validator("trainings")
    @classmethod
    def _several_trainings(cls, trainings: tuple[int, ...]) -> tuple[int, ...]:
        if min(trainings) < 2:
            raise ValueError("must be at least 2 each; one training does not show how much trainings differ")
        if max(trainings) > _MOST_TRAININGS:
            raise ValueError(f"must be at most {_MOST_TRAININGS} each")
        return trainings

    @field_validator("figure")
    @classmethod
    def _known_format(cls, figure: Path | None) -> Path | None:
        formats = [f".{name}" for name in get_args(Format)]
        if figure is not None and figure.suffix.lower() not in formats:
            raise ValueError(f"must end with {', '.join(formats[:-1])} or {formats[-1]}")
        return figure

    @model_validator(mode="after")
    def _both_conditions(self) -> PowerConfig:
        if self.run is not None and not (self.a and self.b):
            raise ValueError("run needs two of its conditions as a and b, such as model=mini/2-way")
        return self


@dataclass(frozen=True)
class SampleSize:
    """A design that detects the difference.

    Attributes:
        queries_per_pair: queries of each concept pair.
        pairs: concept pairs needed; None where more than 4096 would be.
        trainings: trainings of each strategy; 1 where two conditions or checkpoints are compared.
    """

    queries_per_pair: int
    pairs: int | None
    trainings: int = 1

    @property
    def queries(self) -> int | None:
        """Queries of each training under each condition."""
        return None if self.pairs is None else self.pairs * self.queries_per_pair

    @property
    def prompts(self) -> int | None:
        """Prompts of all trainings under both conditions."""
        return None if self.queries is None else 2 * self.queries * self.trainings


def required_sample_size(config: PowerConfig | None = None, **options: Any) -> tuple[Clustering, list[SampleSize]]:
    """How many concept pairs detect a difference, for several numbers of queries per pair and of trainings.

    Args:
        config: the options; None builds them from `options`.
        **options: fields of `PowerConfig`.

    Returns:
        The clustering that was assumed or observed, and one sample size per number of queries per pair; with
        `seed_deviation`, per number of trainings and of queries per pair.

    Raises:
        UserError: an option is wrong, or the difference is impossible under the clustering.
    """
    config = config or PowerConfig.create(**options)
    clustering = clustering_of(config)
    # An impossible difference is reported before the simulations start.
    analysis.power(config.difference, clustering, 2, 1, np.random.default_rng(0), studies=1)
    sizes = []
    designs = list(product((1,) if config.seed_deviation is None else config.trainings, QUERIES_PER_PAIR))
    for trainings, queries in track(designs, "simulating", delay=3.0):
        if config.seed_deviation is None:
            rng = np.random.default_rng([config.seed, queries])
            pairs = analysis.pairs_needed(config.difference, clustering, queries, rng, config.power)
        else:
            rng = np.random.default_rng([config.seed, queries, trainings])
            pairs = analysis.strategy_pairs_needed(
                config.difference, clustering, trainings, config.seed_deviation, queries, rng, config.power
            )
        sizes.append(SampleSize(queries, pairs, trainings))
    return clustering, sizes


def clustering_of(config: PowerConfig) -> Clustering:
    """The clustering that the options assume, or that of the run that they name.

    Raises:
        UserError: it is not a run, or a condition does not select one record per query.
    """
    if config.run is None:
        return analysis.Clustering(config.changed, config.alike)
    records = store.read_run(config.run)
    for option, condition in (("a", config.a), ("b", config.b)):
        _check_condition(option, condition, records)
    before, after, clusters = analysis.paired_values(records, analysis.METRICS[config.metric], config.a, config.b)
    return analysis.observed_clustering(after - before, clusters)


def _check_condition(option: str, condition: Mapping[str, Any], records: pd.DataFrame) -> None:
    """A condition must select one record per query."""
    columns = list(map(str, records.columns))
    rows = records
    for name, value in condition.items():
        if name not in columns:
            raise UserError(f"the run has no such column; {nearest(name, columns)}", option=option, value=name)
        if not (rows[name] == value).any():
            hint = nearest(str(value), map(str, rows[name].dropna().unique()))
            raise UserError(f"no record has this value; {hint}", option=option, value=f"{name}={value}")
        rows = rows[rows[name] == value]
    free = [name for name in ("model", *columns) if name == "model" or name not in store.FIXED]
    varying = [name for name in dict.fromkeys(free) if rows[name].nunique() > 1]
    if varying:
        example = f"{varying[0]}={reporting.format_value(rows[varying[0]].iloc[0])}"
        raise UserError(f"must also fix {' and '.join(varying)}, such as {example}", option=option)
