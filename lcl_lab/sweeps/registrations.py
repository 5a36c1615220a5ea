"""Datasets, strategies and models that were registered in the driver's process, for the processes of the workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from lcl_lab import concepts, models, strategies
from lcl_lab.concepts.dataset import Dataset
from lcl_lab.concepts.datasets import registered_datasets
from lcl_lab.models.interface import Model
from lcl_lab.models.user_models import registered_model
from lcl_lab.strategies.registry import registered_strategies
from lcl_lab.strategies.strategy import Strategy
from lcl_lab.sweeps.trial import EvaluationTrial, Trial

__all__ = ["Registrations"]


@dataclass(frozen=True)
class Registrations:
    """What is registered in a process; Ray sends it to workers together with the trials.

    Attributes:
        datasets: registered datasets by name.
        strategies: registered strategies by name.
        models: the registered models that trials evaluate, by name; others may be too large to send.
    """

    datasets: dict[str, Dataset] = field(default_factory=registered_datasets)
    strategies: dict[str, Strategy] = field(default_factory=registered_strategies)
    models: dict[str, Model] = field(default_factory=dict)

    @classmethod
    def for_trials(cls, trials: Sequence[Trial]) -> Registrations:
        """What the trials may need."""
        names = {trial.model for trial in trials if isinstance(trial, EvaluationTrial)}
        registered = {name: registered_model(name) for name in names}
        return cls(models={name: model for name, model in registered.items() if model is not None})

    def restore(self) -> None:
        """Register the same in this process."""
        for name, dataset in self.datasets.items():
            concepts.register_dataset(dataset, name)
        for strategy in self.strategies.values():
            strategies.register_strategy(strategy)
        for name, model in self.models.items():
            models.register_model(model, name)
