"""What strategies draw the original tasks of a model from."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from lcl_lab.prompts import Prompt

__all__ = ["OriginalTasks"]


class OriginalTasks(Protocol):
    """The tasks that a model was trained on before: those of the embedded model, or a real model's instruction data."""

    def draw(self, rng: np.random.Generator) -> Prompt:
        """Draw a task, with its answer as the only candidate."""

    def name_many(self, rng: np.random.Generator, shots: int) -> Prompt:
        """Draw an in-context prompt of known objects with their usual names.

        Args:
            rng: the random generator.
            shots: K, the number of support images.

        Raises:
            UserError: the tasks name no objects.
        """
