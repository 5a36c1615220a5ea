"""What a strategy is: which prompts a model is trained on, and from which model it starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lcl_lab.prompts import Prompt
from lcl_lab.strategies.base_tasks import Tasks
from lcl_lab.strategies.link_episodes import LinkEpisodes

__all__ = ["Draw", "Material", "Stage", "Strategy"]


@dataclass(frozen=True)
class Material:
    """What prompts are drawn from: episodes that link, and the original tasks; what a strategy needs of them."""

    _links: LinkEpisodes | None
    _tasks: Tasks | None

    @property
    def links(self) -> LinkEpisodes:
        assert self._links is not None, "the strategy must say that it needs links"
        return self._links

    @property
    def tasks(self) -> Tasks:
        assert self._tasks is not None, "the strategy must say that it needs tasks"
        return self._tasks


Draw = Callable[[Material, np.random.Generator], Prompt]


@dataclass(frozen=True)
class Stage:
    """`steps` optimiser steps on `batch` prompts each.

    Above 0, `noise` puts the embedded world's images into new settings with noise of that many standard
    deviations, so that no class can be recognised and one image tells little (`lcl_lab.training.augmentation`).
    """

    steps: int
    batch: int
    draw: Draw
    noise: float = 0.0


@dataclass(frozen=True)
class Strategy:
    """A way of training, under the name that the paper gives it.

    The last stage is the strategy by its definition, for any model. Stages before it are for the embedded
    model alone: a decoder of its size needs short supports to notice that names and images go together.
    """

    name: str
    start: str  # the shipped model that training goes on from
    stages: tuple[Stage, ...]
    learning_rate: float = 2e-3  # of the embedded model
    trains_attention: bool = True
    needs_links: bool = True
    needs_tasks: bool = False
