"""Datasets and strategies that were registered in the process of the driver, for the processes of the workers."""

from __future__ import annotations

from dataclasses import dataclass, field

from lcl_lab import concepts, strategies
from lcl_lab.concepts.dataset import Dataset
from lcl_lab.concepts.datasets import registered_datasets
from lcl_lab.strategies.registry import registered_strategies
from lcl_lab.strategies.strategy import Strategy

__all__ = ["Registrations"]


@dataclass(frozen=True)
class Registrations:
    """What is registered in a process; Ray sends it to workers together with the trials.

    Attributes:
        datasets: registered datasets by name.
        strategies: registered strategies by name.
    """

    datasets: dict[str, Dataset] = field(default_factory=registered_datasets)
    strategies: dict[str, Strategy] = field(default_factory=registered_strategies)

    def restore(self) -> None:
        """Register the same in this process."""
        for name, dataset in self.datasets.items():
            concepts.register_dataset(dataset, name)
        for strategy in self.strategies.values():
            strategies.register_strategy(strategy)
