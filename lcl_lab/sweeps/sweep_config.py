"""What a sweep is: a YAML file, checked as a whole before anything starts, and the trials that it asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lcl_lab.cli import read_yaml
from lcl_lab.errors import UserError, nearest
from lcl_lab.training import TrainConfig, check_training

__all__ = ["Sweep", "Trial", "read_sweep"]

Logger = Literal["mlflow", "wandb"]
_Option = str | int | float | bool | list[str | int | float]
_OWN = ("strategy", "out", "seed", "threads", "overwrite")  # of a training: the sweep decides them
_PASSED = ("model", "results", "fresh", "config")  # of a study


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Stopping(_Strict):
    """Asynchronous successive halving (Li et al. 2020) on the held-out accuracy of trainings, by their steps.

    Which trials it stops depends on which came first: with it, and only with it, another number of workers may stop
    others. A stopped trial is finished, without a model or a study.
    """

    first: int = Field(400, ge=1)  # steps that every training gets
    last: int = Field(100_000, ge=1)
    factor: float = Field(3, gt=1)


class Sweep(_Strict):
    """Strategies by seeds, how they are trained, the studies of each, and what a trial may use."""

    strategies: tuple[str, ...] = Field(min_length=1)
    seeds: tuple[int, ...] = Field((0,), min_length=1)
    train: Mapping[str, _Option] = {}
    studies: tuple[Mapping[str, _Option], ...] = ()
    cpu: int = Field(1, ge=1)
    gpu: float = Field(0, ge=0)
    retries: int = Field(3, ge=0)
    stopping: Stopping | None = None
    loggers: tuple[Logger, ...] = ()  # beside TensorBoard's, which always writes

    def trials(self) -> Iterator[Trial]:
        """Every strategy with every seed."""
        for strategy in self.strategies:
            for seed in self.seeds:
                yield Trial(self, strategy, seed)


@dataclass(frozen=True)
class Trial:
    """One training and its studies."""

    sweep: Sweep
    strategy: str
    seed: int

    @property
    def name(self) -> str:
        return f"{Path(self.strategy).stem}-seed-{self.seed}"

    @property
    def told(self) -> dict[str, str | int]:
        """What loggers show as the settings of the trial."""
        return {"name": self.name, "strategy": Path(self.strategy).stem, "seed": self.seed}

    def training(self, out: Path) -> TrainConfig:
        """The options of the training."""
        options = {key: value for key, value in self.sweep.train.items() if key != "preset"}
        preset = str(self.sweep.train.get("preset", "default"))
        fixed = {"strategy": self.strategy, "seed": self.seed, "out": out, "threads": self.sweep.cpu}
        return TrainConfig.create(preset, None, **fixed, **options)

    def evaluations(self, model: Path, results: Path) -> Iterator[tuple[str, list[str]]]:
        """The name and arguments of each study."""
        for study in self.sweep.studies:
            options = {key: value for key, value in study.items() if key != "study"}
            given = ["--model", f"{self.name}={model}", "--results", str(results)]
            yield str(study["study"]), [*given, *_words(options)]


def read_sweep(path: Path) -> Sweep:
    """The sweep of a YAML file.

    Raises:
        UserError: the file is not there, or something in it is wrong; every training's and study's options are
            checked as those programs check them.
    """
    content = read_yaml(path)
    unknown = [key for key in content if key not in Sweep.model_fields]
    if unknown:
        raise UserError(f"{path}: unknown key {unknown[0]!r}; {nearest(unknown[0], Sweep.model_fields)}")
    try:
        sweep = Sweep.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        told = "give a list, as in [0, 1]" if first["type"] == "tuple_type" else first["msg"]
        raise UserError(f"{path}: {place}: {told[0].lower()}{told[1:]}") from None
    _check(path, sweep)
    for logger in sweep.loggers:
        if find_spec(logger) is None:
            raise UserError(f"{path}: loggers: {logger} is not installed; uv sync --extra {logger}")
    return sweep


def _check(path: Path, sweep: Sweep) -> None:
    from lcl_lab.studies.all import studies

    for key in _OWN:
        if key in sweep.train:
            raise UserError(f"{path}: train: {key} is the sweep's to decide")
    names = [trial.name for trial in sweep.trials()]
    if len(set(names)) < len(names):
        raise UserError(f"{path}: strategies, seeds: give each once")
    known = {study.name: study for study in studies()}
    for study in sweep.studies:
        name = study.get("study")
        if name not in known:
            raise UserError(f"{path}: studies: unknown study {name!r}; {nearest(str(name), known)}")
        for key in _PASSED:
            if key in study:
                raise UserError(f"{path}: studies: {name}: {key} is the sweep's to decide")
    for trial in sweep.trials():
        try:
            check_training(trial.training(Path("out")))
            for name, given in trial.evaluations(Path("out"), Path("results")):
                known[name].configured(given)
        except UserError as error:
            told = re.sub(r"--([a-z][a-z-]*)", lambda option: option[1].replace("-", "_"), str(error))
            raise UserError(f"{path}: {told}") from None


def _words(options: Mapping[str, _Option]) -> list[str]:
    """Options as a command line has them: a list gives several words, true a flag alone."""
    words = []
    for key, value in options.items():
        if value is False:
            continue
        words.append(f"--{key.replace('_', '-')}")
        if value is not True:
            words += [str(one) for one in value] if isinstance(value, list) else [str(value)]
    return words
