"""What a strategy is: which prompts a model is trained on, and from which model it starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lcl_lab.prompts import Prompt
from lcl_lab.strategies.links import LinkEpisodes
from lcl_lab.strategies.tasks import Tasks

__all__ = ["Draw", "Material", "Stage", "Strategy"]


@dataclass(frozen=True)
class Material:
    """What prompts are drawn from: episodes that link, and the original tasks."""

    links: LinkEpisodes
    tasks: Tasks


Draw = Callable[[Material, np.random.Generator], Prompt]


@dataclass(frozen=True)
class Stage:
    """`steps` optimiser steps on `batch` prompts each."""

    steps: int
    batch: int
    draw: Draw


@dataclass(frozen=True)
class Strategy:
    """A way of training, under the name that the paper gives it.

    The last stage is the strategy by its definition, for any model. Stages before it are for the embedded
    model alone: a decoder of its size needs short supports to notice that names and images go together.
    """

    name: str
    start: str  # the shipped model that training goes on from
    stages: tuple[Stage, ...]
    learning_rate: float = 3e-3  # of the embedded model
    trains_attention: bool = True

    @property
    def draw(self) -> Draw:
        return self.stages[-1].draw
