"""Another share of original tasks among the prompts of a strategy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lcl_lab.errors import UserError
from lcl_lab.prompts import Prompt
from lcl_lab.strategies import CORPUS, Draw, Stage, TrainingData
from lcl_lab.training.instruction_rows import TASK_IMAGES

__all__ = ["with_task_share"]

_MOST_DRAWS = 1000  # a strategy that draws both does so long before


def with_task_share(stages: Sequence[Stage], share: float) -> tuple[Stage, ...]:
    """Stages that first draw whether a prompt is an original task, then prompts until one is of that kind.

    Args:
        stages: stages that draw both original tasks and episodes.
        share: the share of original tasks, between 0 and 1.
    """
    return tuple(replace(stage, draw=_draw_with_share(stage.draw, share)) for stage in stages)


def _draw_with_share(draw: Draw, share: float) -> Draw:
    def draw_kind(data: TrainingData, rng: np.random.Generator) -> Prompt:
        wanted = rng.random() < share
        for _ in range(_MOST_DRAWS):
            prompt = draw(data, rng)
            if _is_task(prompt) == wanted:
                return prompt
        kind = "original tasks" if wanted else "episodes"
        raise UserError(f"the strategy never draws {kind}", option="tasks_share", value=share)

    return draw_kind


def _is_task(prompt: Prompt) -> bool:
    """Every episode has an image, and none of its images is one of the original tasks."""
    return all(ref.data in (CORPUS, TASK_IMAGES) for ref in prompt.images)
