"""A trial: one training and the studies of its model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcl_lab import training
from lcl_lab.atomic import canonical_json
from lcl_lab.errors import UserError
from lcl_lab.training.identity import training_identity

if TYPE_CHECKING:
    from lcl_lab.studies import Study, StudyConfig
    from lcl_lab.sweeps.sweep_config import SweepConfig
    from lcl_lab.training import TrainConfig

__all__ = ["Trial", "check_sweep"]

# Options of studies that change no record.
_WITHOUT_EFFECT = {"model", "strategy_of", "results", "fresh", "no_cache", "batch_size", "registration", "anytime"}


@dataclass(frozen=True)
class Trial:
    """One training and the studies of its model.

    Attributes:
        name: strategy and seed, such as ``2-way-seed-0``; also the name of the model in records.
        strategy: name or Python file of the strategy.
        seed: seed of the training.
        training: options of the training; `out` is set where the trial runs.
        evaluations: studies with their options; `model` and `results` are set where the trial runs.
    """

    name: str
    strategy: str
    seed: int
    training: TrainConfig
    evaluations: tuple[tuple[Study[Any], StudyConfig], ...]

    @property
    def parameters(self) -> dict[str, str | int]:
        """What loggers show as the parameters of the trial."""
        return {"name": self.name, "strategy": Path(self.strategy).stem, "seed": self.seed}

    @cached_property
    def options(self) -> str:
        """16 hex digits over what results depend on: the training by content, and the options of the studies."""
        identity = training_identity(training.check_training(self.training))
        studies = [
            [study.name, config.model_dump(mode="json", exclude=_WITHOUT_EFFECT)] for study, config in self.evaluations
        ]
        content: dict[str, Any] = {"training": {**identity, "neighbours": None}, "studies": studies}
        return blake2b(canonical_json(content).encode(), digest_size=8).hexdigest()

    def training_in(self, folder: Path) -> TrainConfig:
        """The options of the training, with the folder of its checkpoint, in which it replaces any other training."""
        return self.training.model_copy(update={"out": folder, "overwrite": True})

    def evaluations_of(self, model: Path, results: Path) -> Sequence[tuple[Study[Any], StudyConfig]]:
        """The studies with their options.

        Args:
            model: folder of the trained model.
            results: folder of all runs.
        """
        update = {"model": (f"{self.name}={model}",), "results": results}
        return [(study, config.model_copy(update=update)) for study, config in self.evaluations]


def check_sweep(config: SweepConfig) -> list[Trial]:
    """Check everything in a sweep that can be checked without training: names, files, designs of studies, loggers.

    Args:
        config: the options of the sweep.

    Returns:
        Its trials.

    Raises:
        UserError: a training or a study is not possible with these options, or a logger is not installed.
    """
    trials = config.trials()
    for trial in trials:
        _check_training(trial)
    for study, options in trials[0].evaluations:  # those of other trials have the same options
        try:
            study.design(options)
        except UserError as error:
            raise UserError(f"{study.name}: {error}", option="studies") from None
    for logger in config.loggers:
        if find_spec(logger) is None:
            raise UserError(f"is not installed; uv sync --extra {logger}", option="loggers", value=logger)
    return trials


def _check_training(trial: Trial) -> None:
    try:
        plan = training.check_training(trial.training)
        if plan.start is not None:
            training.check_network(plan)
    except UserError as error:
        if error.option == "strategy":
            raise UserError(error.reason, option="strategies", value=error.value) from None
        raise UserError(str(error), option="train") from None
