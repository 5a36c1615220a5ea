"""The definition of a strategy: which prompts a model is trained on, and from which model training starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lcl_lab.errors import UserError
from lcl_lab.prompts import Prompt
from lcl_lab.strategies.link_episodes import LinkEpisodes
from lcl_lab.strategies.original_tasks import OriginalTasks

__all__ = ["Draw", "Stage", "Strategy", "TrainingData"]


@dataclass(frozen=True)
class TrainingData:
    """What a strategy draws prompts from. Holds only what the strategy declares with `needs_links`, `needs_tasks`."""

    _links: LinkEpisodes | None
    _tasks: OriginalTasks | None

    @property
    def links(self) -> LinkEpisodes:
        """Episodes of a positive concept and a hard negative.

        Raises:
            UserError: the strategy does not declare `needs_links`.
        """
        if self._links is None:
            raise UserError("draws from data.links but has needs_links=False", option="strategy")
        return self._links

    @property
    def tasks(self) -> OriginalTasks:
        """The original tasks of the model that training starts from.

        Raises:
            UserError: the strategy does not declare `needs_tasks`.
        """
        if self._tasks is None:
            raise UserError("draws from data.tasks but has needs_tasks=False", option="strategy")
        return self._tasks


Draw = Callable[[TrainingData, np.random.Generator], Prompt]
"""Draws one training prompt, with randomness from the generator only."""


@dataclass(frozen=True)
class Stage:
    """A phase of training.

    Attributes:
        steps: optimizer steps.
        batch: prompts per step.
        draw: draws one prompt.
        noise: strength of the feature augmentation of the embedded world, in standard deviations over concepts.
            Above 0, concepts cannot be recognised and a single image says little (see `lcl_lab.training.augmentation`).
    """

    steps: int
    batch: int
    draw: Draw
    noise: float = 0.0


@dataclass(frozen=True)
class Strategy:
    """A way of training.

    The last stage is the strategy as the paper defines it, for any model. The stages before it are for the embedded
    model only: a decoder of its size needs short supports to discover that names and images belong together.

    Attributes:
        name: the paper's name for it.
        start: the shipped model that training starts from, without its `mini/`.
        stages: the phases of training, in order.
        learning_rate: peak learning rate of the embedded model.
        trains_attention: whether the decoder's attention is trained, or stays as initialised.
        needs_links: whether it draws from `TrainingData.links`.
        needs_tasks: whether it draws from `TrainingData.tasks`.
        fingerprint: identifies what the `draw` functions do, where their code cannot (for example when they call a
            compiled extension); by default their code is compared (see `strategy_fingerprint`).
    """

    name: str
    start: str
    stages: tuple[Stage, ...]
    learning_rate: float = 2e-3
    trains_attention: bool = True
    needs_links: bool = True
    needs_tasks: bool = False
    fingerprint: str | None = None
