"""A trial: the studies of one model, after its training or of a model that exists."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcl_lab import models, training
from lcl_lab.atomic import canonical_json
from lcl_lab.errors import UserError
from lcl_lab.progress import track
from lcl_lab.sweeps.search_metric import SearchMetric, check_metric
from lcl_lab.training.identity import training_identity

if TYPE_CHECKING:
    from lcl_lab.evaluation import Design
    from lcl_lab.models import Checkpoint
    from lcl_lab.studies import Study, StudyConfig
    from lcl_lab.sweeps.sweep_config import SweepConfig
    from lcl_lab.training import TrainConfig

__all__ = [
    "TRAINING",
    "EvaluationTrial",
    "TrainingTrial",
    "Trial",
    "check_sweep",
    "check_trials",
    "evaluation_names",
    "search_metric",
]

TRAINING = "training"
"""What a training trial does before its studies, in the `doing` of reports and events."""

# Options of studies that change no record.
_WITHOUT_EFFECT = {
    *("model", "strategy_of", "results", "fresh", "no_cache", "batch_size", "registration", "anytime"),
    *("workers", "gpus_per_worker"),
}
_PATIENCE = 3.0  # seconds without a progress bar
_NOT_OF_NETWORK = {"out", "seed", "learning_rate", "steps", "batch"}  # options of trainings that change no network
_LONGEST = 60  # characters of a model or dataset in the name of a trial


@dataclass(frozen=True)
class Trial(ABC):
    """The studies of one model, on one worker.

    Attributes:
        name: identifies the trial; a folder name.
        seed: random seed of the training, or of the studies where nothing is trained.
        evaluations: studies with their options; `results` is set where the trial runs.
        setting: the values of options that have a range in the sweep.
        metric: what the search of the sweep compares trials by, if it has one.
    """

    name: str
    seed: int
    evaluations: tuple[tuple[Study[Any], StudyConfig], ...]
    setting: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    metric: SearchMetric | None = field(default=None, kw_only=True)

    @property
    def parameters(self) -> dict[str, Any]:
        """What loggers show as the parameters of the trial."""
        return {"name": self.name, **self.varied, "seed": self.seed, **self.setting}

    @property
    @abstractmethod
    def varied(self) -> dict[str, str]:
        """What distinguishes the trials of a sweep, besides the seed."""

    @property
    def recorded_as(self) -> str:
        """The name of the model in records."""
        return self.name

    @property
    def stages(self) -> tuple[str, ...]:
        """What the trial does, in order."""
        return tuple(study.name for study, _ in self.evaluations)

    @cached_property
    def options(self) -> str:
        """16 hex digits over what results depend on: the model and data by content, and the options of the studies."""
        studies = [
            [study.name, config.model_dump(mode="json", exclude=_WITHOUT_EFFECT)] for study, config in self.evaluations
        ]
        content = {**self._content(), "studies": studies}
        return blake2b(canonical_json(content).encode(), digest_size=8).hexdigest()

    def evaluations_of(self, model: Path, results: Path) -> Sequence[tuple[Study[Any], StudyConfig]]:
        """The studies with their options.

        Args:
            model: folder of the trained model, where one is trained.
            results: folder of all runs.
        """
        return [(study, config.model_copy(update={"results": results})) for study, config in self.evaluations]

    @abstractmethod
    def _content(self) -> dict[str, Any]:
        """The model and the data, by content."""


@dataclass(frozen=True)
class TrainingTrial(Trial):
    """One training and the studies of its model, whose name in records is that of the trial.

    Attributes:
        strategy: name or Python file of the strategy.
        training: options of the training; `out` is set where the trial runs.
    """

    strategy: str
    training: TrainConfig

    @property
    def varied(self) -> dict[str, str]:
        """The name of the strategy."""
        return {"strategy": Path(self.strategy).stem}

    @property
    def stages(self) -> tuple[str, ...]:
        """The training, and the studies."""
        return TRAINING, *super().stages

    def training_in(self, folder: Path) -> TrainConfig:
        """The options of the training, with the folder of its checkpoint, in which it replaces any other training."""
        return self.training.model_copy(update={"out": folder, "overwrite": True})

    def evaluations_of(self, model: Path, results: Path) -> Sequence[tuple[Study[Any], StudyConfig]]:
        """See `Trial.evaluations_of`."""
        update = {"model": (f"{self.name}={model}",)}
        return [(study, config.model_copy(update=update)) for study, config in super().evaluations_of(model, results)]

    def _content(self) -> dict[str, Any]:
        identity = training_identity(training.check_training(self.training))
        return {"training": {**identity, "neighbours": None}}


@dataclass(frozen=True)
class EvaluationTrial(Trial):
    """The studies of a model that exists.

    Attributes:
        model: the model, named as in every study.
        data: the dataset; empty for that of each study.
        identities: for each study, what its records depend on besides its options: models, data and design by their
            content. `check_sweep` finds them.
    """

    model: str
    data: str
    identities: tuple[Mapping[str, Any], ...] = ()

    @property
    def varied(self) -> dict[str, str]:
        """The model and the dataset, if the sweep has a list of datasets."""
        return {"model": self.model, **({"data": self.data} if self.data else {})}

    @property
    def recorded_as(self) -> str:
        """The name of the model in records: NAME of NAME=PATH."""
        return str(self.identities[0]["models"][0]["name"]) if self.identities else self.model

    def _content(self) -> dict[str, Any]:
        return {"evaluated": self.identities}


def evaluation_names(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """A folder name for each pair of a model and a dataset, which differs from the others also where case is ignored.

    Args:
        pairs: models and datasets; a dataset may be empty.
    """
    names = ["-".join(_folder_safe(part) for part in pair if part) for pair in pairs]
    counts = Counter(name.casefold() for name in names)
    digests = [blake2b(repr(pair).encode(), digest_size=3).hexdigest() for pair in pairs]
    return [
        f"{name}-{digest}" if counts[name.casefold()] > 1 else name for name, digest in zip(names, digests, strict=True)
    ]


def _folder_safe(text: str) -> str:
    """The end of a name, which tells paths apart; NAME of NAME=PATH."""
    alias, _, _ = text.partition("=")
    return re.sub(r"[^\w.=-]+", "_", alias)[-_LONGEST:].strip("._") or "model"


def check_sweep(config: SweepConfig) -> list[Trial]:
    """Check everything in a sweep that can be checked before it starts: names, files, designs of studies, loggers.

    Args:
        config: the options of the sweep.

    Returns:
        The trials that are known before any has run; a search by Optuna has none yet.

    Raises:
        UserError: a training or a study is not possible with these options, a model cannot be found, or a logger is
            not installed.
    """
    for logger in config.loggers:
        if find_spec(logger) is None:
            raise UserError(f"is not installed; uv sync --extra {logger}", option="loggers", value=logger)
    check_trials(config.probes())
    trials = check_trials(config.trials())
    metric = search_metric(config)
    return [replace(trial, metric=metric) for trial in trials]


def search_metric(config: SweepConfig) -> SearchMetric | None:
    """What the search of a sweep compares trials by; None where nothing is searched.

    Raises:
        UserError: the trials have no such metric.
    """
    if config.searched is None:
        return None
    probes = config.probes()
    trainings = [trial.training for trial in probes if isinstance(trial, TrainingTrial)]
    return check_metric(config.searched.metric, [trial.evaluations for trial in probes], trainings)


def check_trials(trials: Sequence[Trial]) -> list[Trial]:
    """Check trials one by one, as `check_sweep` does; a trial of models gets the identities of what it evaluates."""
    trainings = [trial for trial in trials if isinstance(trial, TrainingTrial)]
    networks: set[str] = set()
    for trial in track(trainings, "checking trials", delay=_PATIENCE):
        _check_training(trial, networks)
    if not trainings:
        return _identified([trial for trial in trials if isinstance(trial, EvaluationTrial)])
    # Most trials have the same options of studies, except for the name of the model.
    different = {
        (number, options.model_dump_json(exclude={"model"})): (study, options)
        for trial in trainings
        for number, (study, options) in enumerate(trial.evaluations)
    }
    for study, options in different.values():
        _check_design(study, options)
    return list(trainings)


def _identified(trials: Sequence[EvaluationTrial]) -> list[Trial]:
    """Trials with the identities of what they evaluate; each model and each design is read once."""
    checkpoints: dict[str, Checkpoint] = {}
    designs: dict[tuple[int, str, int, str], Mapping[str, Any]] = {}

    def find(model: str, study: Study[Any], options: StudyConfig) -> Checkpoint:
        key = repr((model, options.base_url, options.model_settings))
        if key not in checkpoints:
            checkpoints[key] = _find(model, study, options)
        return checkpoints[key]

    def identity(trial: EvaluationTrial, number: int) -> Mapping[str, Any]:
        study, options = trial.evaluations[number]
        evaluated = [trial.model, *([models.PROTOTYPE] if study.reference else [])]
        found = [find(model, study, options) for model in evaluated]
        place = number, trial.data, trial.seed, canonical_json(trial.setting)
        if place not in designs:
            design = _check_design(study, options, bool(trial.data))
            designs[place] = {**design.identity, "content": design.content_digest()}
        return {"models": [one.identity() for one in found], "design": designs[place]}

    _check_names(trials, find)
    return [
        replace(trial, identities=tuple(identity(trial, number) for number in range(len(trial.evaluations))))
        for trial in trials
    ]


def _check_names(trials: Sequence[EvaluationTrial], find: Callable[[str, Study[Any], StudyConfig], Checkpoint]) -> None:
    """Check that records tell the models apart, each of which is found with the options of the first study."""
    of_model = {trial.model: find(trial.model, *trial.evaluations[0]).name for trial in trials}
    repeated = [name for name, count in Counter(of_model.values()).items() if count > 1]
    if repeated:
        raise UserError(f"two models are named {repeated[0]}; name one of them, as NAME=PATH", option="models")


def _find(model: str, study: Study[Any], options: StudyConfig) -> Checkpoint:
    """A model with the settings of a study; an error in those names the study."""
    try:
        checkpoint = models.find_checkpoint(model, "models", options.base_url, options.model_settings)
        if options.revision is not None and not models.is_on_hub(model):
            raise UserError(f"{model} is not on the hub", option="revision", value=options.revision)
    except UserError as error:
        if error.option == "models":
            raise
        raise UserError(f"{study.name}: {error}", option="studies") from None
    return checkpoint


def _check_design(study: Study[Any], options: StudyConfig, sets_data: bool = False) -> Design:
    """The design of a study; an error in the dataset is one of the sweep's own option if that sets it."""
    try:
        return study.design(options)
    except UserError as error:
        if sets_data and error.option == "data":
            raise
        raise UserError(f"{study.name}: {error}", option="studies") from None


def _check_training(trial: TrainingTrial, networks: set[str]) -> None:
    """Check a training, and its network unless one with the same options is among `networks`, to which it is added."""
    network = trial.training.model_dump_json(exclude=_NOT_OF_NETWORK)
    try:
        plan = training.check_training(trial.training)
        if plan.start is not None and network not in networks:
            training.check_network(plan)
            networks.add(network)
    except UserError as error:
        if error.option == "strategy":
            raise UserError(error.reason, option="strategies", value=error.value) from None
        raise UserError(str(error), option="train") from None
