"""The evaluation of the photo models: links on pictures, and the names of known things."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lcl_lab import concepts, episodes, evaluation
from lcl_lab.concepts import Dataset, ImageRef
from lcl_lab.evaluation import Condition, Design, EvalItem
from lcl_lab.evaluation.design import Question
from lcl_lab.prompts import QUESTION, single_question

if TYPE_CHECKING:
    from lcl_lab.episodes import Episode
    from lcl_lab.models import Checkpoint

__all__ = ["PhotoEvaluation", "evaluate_links", "evaluate_naming"]

_STREAM = 11  # of the random generator


@dataclass(frozen=True)
class PhotoEvaluation:
    """The size of the evaluation. All models get the same episodes and questions, so that they can be paired.

    Attributes:
        shots: numbers of shots.
        queries: queries under each condition.
        questions: questions about the names of known things.
        seed: random seed.
        batch_size: prompts per batch.
    """

    shots: tuple[int, ...] = (0, 2, 4, 8)
    queries: int = 200
    questions: int = 2000
    seed: int = 0
    batch_size: int = 50

    def conditions(self) -> Iterator[tuple[int, float]]:
        """Shots and ratio of false labels; all labels are false only at the most shots."""
        yield from ((shots, 0.0) for shots in self.shots)
        yield max(self.shots), 1.0


def evaluate_links(
    checkpoints: Sequence[Checkpoint], datasets: Sequence[Dataset], plan: PhotoEvaluation
) -> pd.DataFrame:
    """Records of episodes with invented names, with the condition columns shots and false_ratio."""
    named = [concepts.rename_concepts(dataset, concepts.INVENTED, plan.seed) for dataset in datasets]
    designs = [_link_design(dataset, plan) for dataset in named]
    frames = [evaluation.evaluate(checkpoints, design, batch_size=plan.batch_size) for design in designs]
    return pd.concat(frames, ignore_index=True)


def evaluate_naming(
    checkpoints: Sequence[Checkpoint], known: Dataset, images: int, plan: PhotoEvaluation
) -> pd.DataFrame:
    """Records of questions for the names of known things.

    Args:
        checkpoints: the models.
        known: the dataset that they were trained on.
        images: the number of images of a concept that they were trained on; others are shown.
        plan: how much to evaluate.
    """
    unseen = [concept for concept in known.concepts.values() if concept.images > images]

    def item(query: int) -> EvalItem:
        rng = np.random.default_rng([plan.seed, query, _STREAM])
        concept = unseen[int(rng.integers(len(unseen)))]
        image = ImageRef(known.name, concept.id, int(rng.integers(images, concept.images)))
        asked = Question(
            data=known.name,
            seed=plan.seed,
            query_id=query,
            pair=concept.id,
            id=f"{plan.seed}-{query}",
            query=str(image),
            true_name=concept.name,
        )
        prompt = single_question(QUESTION, image, concept.name)
        return EvalItem(asked, prompt, grade=lambda answer: float(answer == concept.name))

    design = Design([Condition({}, plan.questions, item)], known.image)
    return evaluation.evaluate(checkpoints, design, batch_size=plan.batch_size)


def _link_design(dataset: Dataset, plan: PhotoEvaluation) -> Design:
    def draw(shots: int, ratio: float, query: int) -> Episode:
        return episodes.falsify(episodes.draw_episode(dataset, plan.seed, query, shots), ratio)

    conditions = [
        ({"shots": shots, "false_ratio": ratio}, partial(draw, shots, ratio)) for shots, ratio in plan.conditions()
    ]
    return evaluation.episode_design(dataset, plan.queries, conditions)
