"""Options of a sweep: a YAML file or keyword arguments, checked as a whole before anything starts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from lcl_lab import studies
from lcl_lab.config import Config, Threads
from lcl_lab.errors import UserError
from lcl_lab.studies.study import Study
from lcl_lab.studies.study_config import StudyConfig
from lcl_lab.sweeps.search_config import Search
from lcl_lab.sweeps.search_space import SearchSpace, Setting, setting_name
from lcl_lab.sweeps.trial import EvaluationTrial, TrainingTrial, Trial, evaluation_names
from lcl_lab.training.train_config import TrainConfig
from lcl_lab.yaml_reading import read_yaml

__all__ = ["Logger", "Stopping", "SweepConfig", "SweepOptions", "errors_in_file"]

Logger = Literal["mlflow", "wandb"]

# Options of trainings and studies that the sweep sets itself, and what to do instead.
_SET_FOR_TRAINING = {
    "strategy": "list it in strategies",
    "seed": "list it in seeds",
    "threads": "use cpu",
    "out": "models are stored in the folder of the sweep",
    "overwrite": "delete the folder of the sweep to train again",
}
_SET_FOR_STUDIES = {
    "model": "a study evaluates the model of its trial",
    "results": "use results of the sweep",
    "gpus_per_worker": "use gpu",
    "fresh": "delete the folder of the sweep to run it again",
}


def _folder_name(value: str) -> str:
    if not re.fullmatch(r"[\w.=-]+", value) or value.startswith("."):
        raise ValueError("must be a folder name: letters, digits, '-', '_', '.', '='")
    return value


def _unique(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(values)) < len(values):
        raise ValueError("must not repeat a value")
    return values


def _stopping(value: Any) -> Any:
    """Errors name the option inside `stopping` that is wrong."""
    if not isinstance(value, Mapping):
        return value
    with _errors_in("stopping"):
        return Stopping.create(**value)


def _search(value: Any) -> Any:
    """Errors name the option inside `search` that is wrong."""
    if not isinstance(value, Mapping):
        return value
    with _errors_in("search"):
        return Search.create(**value)


def _study_options(value: Any) -> Any:
    """A study may be given without options, as a name or an object."""
    return {"study": value} if isinstance(value, str | Study) else value


class Stopping(Config):
    """Asynchronous successive halving (ASHA; Li et al., 2020) on held-out accuracy.

    Which trials are stopped depends on the order in which they report, so the number of workers can change it. A
    stopped trial counts as finished; it has no model and runs no studies.
    """

    first: int = Field(400, ge=1, description="optimizer steps that every training gets")
    last: int = Field(100_000, ge=1, description="optimizer steps after which no training is stopped")
    factor: float = Field(3, gt=1, description="1 of this many trainings continues at each decision")


class SweepOptions(Config):
    """Options of a sweep that the command line takes as well as the file."""

    name: Annotated[str, AfterValidator(_folder_name)] = Field(
        "sweep", description="name of the sweep's folder in RESULTS/sweeps; that of a YAML file unless given"
    )
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], AfterValidator(_unique)] = Field(
        (0,), min_length=1, description="random seeds; every strategy is trained, or model evaluated, with each"
    )
    cpu: Threads = Field(1, description="CPU cores of a trial, or of each of its workers")
    gpu: float = Field(
        0, ge=0, le=1024, description="GPUs of a trial, or of each of its workers; 0.5 lets two share one"
    )
    retries: int = Field(3, ge=0, description="how many times a failed trial is retried")
    loggers: tuple[Logger, ...] = Field((), description="mlflow, wandb, in addition to TensorBoard")
    address: str | None = Field(
        None, description="Ray cluster: auto, HOST:PORT or ray://HOST:10001 (default: start one on this machine)"
    )
    workers: Threads | None = Field(None, description="trials that run at once (default: as many as fit)")
    storage: str | None = Field(
        None, description="s3://BUCKET/FOLDER, gs://BUCKET/FOLDER, …: for nodes that share no folder"
    )
    results: Path = Field(Path("results"), description="folder of all runs")


class SweepConfig(SweepOptions):
    """What is trained or evaluated, in which studies, and where all of it runs.

    A sweep has either strategies, whose models are trained, or models that exist.
    """

    strategies: Annotated[tuple[str, ...], AfterValidator(_unique)] = Field(
        (), min_length=1, description="names or Python files of strategies; each is trained with every seed"
    )
    models: Annotated[tuple[str, ...], AfterValidator(_unique)] = Field(
        (), min_length=1, description="models to evaluate instead of training any, named as in every study"
    )
    data: Annotated[tuple[str, ...], AfterValidator(_unique)] = Field(
        (), min_length=1, description="datasets on which models are evaluated (default: that of each study)"
    )
    train: Mapping[str, Any] = Field(
        {}, description="options of every training, as in TrainConfig, and a preset; an option may have a range"
    )
    studies: tuple[Annotated[Mapping[str, Any], BeforeValidator(_study_options)], ...] = Field(
        (),
        description="studies of every model: {study: NAME, preset: …} and further options of that study, which may "
        "have ranges",
    )
    search: Annotated[Search | None, BeforeValidator(_search)] = Field(
        None, description="how options with ranges are searched: {method: random, trials: 12, metric: …}"
    )
    stopping: Annotated[Stopping | None, BeforeValidator(_stopping)] = Field(
        None, description="stop trainings early that do worse than others"
    )

    @classmethod
    def from_file(cls, file: str | Path, **options: Any) -> Self:
        """Read the YAML file of a sweep.

        Args:
            file: the file. Its stem is the name of the sweep unless it has a `name`.
            **options: fields; they take precedence over those in the file.

        Raises:
            UserError: the file cannot be read, or an option is wrong.
        """
        path = Path(file)
        content = {"name": path.stem, **read_yaml(path)}
        with errors_in_file(path, options):
            return cls.create(**{**content, **options})

    @property
    def space(self) -> SearchSpace:
        """The options that have ranges."""
        return SearchSpace.of(self.train, self.studies)

    def trials(self) -> list[Trial]:
        """Every strategy, or every model on every dataset, with every seed and every setting, in this order.

        A search by Optuna has no settings before it runs.

        Raises:
            UserError: an option in `train` or `studies` is wrong; none once the configuration has been created.
        """
        if self.is_suggested:
            return []
        settings = self.space.grid_settings()
        if self.space.drawn and self.search and self.search.trials:
            drawn = self.space.random_settings(self.search.trials, self.search.seed)
            settings = [{**fixed, **setting} for fixed in settings for setting in drawn]
        return self.trials_with(settings)

    def probes(self) -> list[Trial]:
        """Trials with the ends of all ranges, to check these; none without ranges.

        Raises:
            UserError: a range is wrong.
        """
        return self.trials_with(self.space.probes()) if self.space.options else []

    @property
    def searched(self) -> Search | None:
        """How options are searched: a grid of trainings needs no `search`; None where no option has a range."""
        return self.search or (Search.create() if self.space.options else None)

    @property
    def is_suggested(self) -> bool:
        """Whether settings depend on earlier results."""
        return self.search is not None and self.search.method == "optuna" and bool(self.space.drawn)

    @property
    def count(self) -> int:
        """The number of trials, when all have run."""
        if self.is_suggested and self.search:
            return (self.search.trials or 0) * len(self.trials_with(self.space.probes()[:1]))
        return len(self.trials())

    def trials_with(self, settings: Sequence[Setting]) -> list[Trial]:
        """The trials of every strategy or model with every seed and each of some settings.

        Args:
            settings: values of the options that have ranges.

        Raises:
            UserError: an option in `train` or `studies` is wrong.
        """
        if self.strategies:
            return [
                self._training_trial(strategy, seed, setting)
                for strategy in self.strategies
                for seed in self.seeds
                for setting in settings
            ]
        pairs = [(model, data) for model in self.models for data in self.data or ("",)]
        return [
            self._evaluation_trial(name, *pair, seed, setting)
            for name, pair in zip(evaluation_names(pairs), pairs, strict=True)
            for seed in self.seeds
            for setting in settings
        ]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.strategies and self.models:
            raise UserError("a sweep has either strategies or models; remove one of them", option="models")
        if not self.strategies and not self.models:
            raise UserError("is required, unless the sweep has models", option="strategies")
        if self.models:
            self._check_evaluations()
        elif self.data:
            raise UserError("is for models; give trainings and studies their own data", option="data")
        names = [Path(strategy).stem for strategy in self.strategies]
        repeated = next((name for name in names if names.count(name) > 1), None)
        if repeated:
            raise UserError(f"two strategies are named {repeated}; rename one of the files", option="strategies")
        self._check_search()
        self.trials()
        return self

    def _check_search(self) -> None:
        """Check the ranges, by trials with their ends, and what searches them."""
        space = self.space
        if self.search:
            with _errors_in("search"):
                self.search.check_space(space)
        elif space.drawn:
            reason = f"is required, such as {{method: random, trials: 12}}, since {space.drawn[0].name} has a range"
            raise UserError(reason, option="search")
        elif space.options and self.models:
            reason = f"is required, such as {{metric: link_score}}, since {space.options[0].name} has a grid"
            raise UserError(reason, option="search")
        self.probes()
        for option, setting in space.between():
            try:
                self.trials_with([setting])
            except UserError as error:  # both ends are valid
                integers = "lograndint" if option.range.is_logarithmic else "randint"
                raise UserError(f"{error}; use {integers}") from None

    def _check_evaluations(self) -> None:
        """Check that a sweep of models has what it needs and nothing that is for trainings."""
        if self.train:
            raise UserError("is for strategies; a sweep of models trains nothing", option="train")
        if self.stopping:
            raise UserError("is for strategies; a sweep of models trains nothing", option="stopping")
        if not self.studies:
            raise UserError("is required in a sweep of models", option="studies")

    def _training_trial(self, strategy: str, seed: int, setting: Setting) -> TrainingTrial:
        name = _trial_name(Path(strategy).stem, seed, setting)
        with _errors_in("train"):
            training = self._training(name, strategy, seed, setting)
        with _errors_in("studies"):
            evaluations = tuple(
                _evaluation(options, _SET_FOR_STUDIES, model=(f"{name}={name}",))
                for options in self._studies_with(setting)
            )
        return TrainingTrial(name, seed, evaluations, strategy, training, setting=setting)

    def _evaluation_trial(self, name: str, model: str, data: str, seed: int, setting: Setting) -> EvaluationTrial:
        reserved = {**_SET_FOR_STUDIES, "seed": "list it in seeds"}
        values: dict[str, Any] = {"model": (model,), "seed": seed}
        if data:
            reserved["data"], values["data"] = "list it in data", data
        with _errors_in("studies"):
            evaluations = tuple(_evaluation(options, reserved, **values) for options in self._studies_with(setting))
        return EvaluationTrial(_trial_name(name, seed, setting), seed, evaluations, model, data, setting=setting)

    def _studies_with(self, setting: Setting) -> Sequence[Mapping[str, Any]]:
        return [self.space.filled(options, number, setting) for number, options in enumerate(self.studies)]

    def _training(self, name: str, strategy: str, seed: int, setting: Setting) -> TrainConfig:
        _refuse(self.train, _SET_FOR_TRAINING)
        options = self.space.filled(self.train, None, setting)
        preset = options.pop("preset", None)
        return TrainConfig.create(
            preset, None, strategy=strategy, seed=seed, out=Path(name), threads=self.cpu, **options
        )


def _trial_name(base: str, seed: int, setting: Setting) -> str:
    return "-".join([base, "seed", str(seed), *([setting_name(setting)] if setting else [])])


@contextmanager
def errors_in_file(file: Path, options: Mapping[str, Any]) -> Iterator[None]:
    """Prefix a `UserError` with the file, unless one of `options` is wrong, which were not given there."""
    try:
        yield
    except UserError as error:
        if error.option in options:
            raise
        raise UserError(f"{file}: {error}") from None


@contextmanager
def _errors_in(option: str) -> Iterator[None]:
    """A `UserError` inside the value of an option is one of that option."""
    try:
        yield
    except UserError as error:
        raise UserError(str(error), option=option) from None


def _evaluation(given: Mapping[str, Any], reserved: Mapping[str, str], **values: Any) -> tuple[Study[Any], StudyConfig]:
    """A study and its options: those given, none of them reserved, and values that the sweep sets."""
    options = dict(given)
    if "study" not in options:
        raise UserError("each needs a study, such as {study: shots}")
    chosen = options.pop("study")
    study = chosen if isinstance(chosen, Study) else studies.find_study(str(chosen))
    try:
        _refuse(options, reserved)
        if "data" in values and "data" not in study.config.model_fields:
            raise UserError("it has no option data; leave out the datasets of the sweep")
        preset = options.pop("preset", None)
        return study, study.config.create(preset, None, **values, **options)
    except UserError as error:
        raise UserError(f"{study.name}: {error}") from None


def _refuse(options: Mapping[str, Any], reasons: Mapping[str, str]) -> None:
    wrong = next((key for key in options if key in reasons), None)
    if wrong:
        raise UserError(f"is set by the sweep; {reasons[wrong]}", option=wrong)
