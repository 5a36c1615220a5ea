"""The evaluation of the shipped models: link accuracy over shots, and mini-VQA, on the same queries for all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from lcl_lab import concepts, episodes, evaluation

if TYPE_CHECKING:
    from lcl_lab.concepts import Dataset
    from lcl_lab.episodes import Episode
    from lcl_lab.evaluation import Design, EvalItem
    from lcl_lab.models import Checkpoint

__all__ = ["ZooEvaluation", "evaluate_links", "evaluate_zoo"]


@dataclass(frozen=True)
class ZooEvaluation:
    """The size of the evaluation. All models get the same episodes and questions, so that they can be paired.

    Attributes:
        data: datasets of the episodes.
        shots: numbers of shots.
        queries: queries under each condition.
        questions: questions about single images: of mini-VQA, or for the names of known things.
        seed: random seed.
        batch_size: prompts per batch.
    """

    data: tuple[str, ...] = ("world-100", "isekai-mini")
    shots: tuple[int, ...] = (0, 2, 4, 8, 16)
    queries: int = 400
    questions: int = 8000
    seed: int = 0
    batch_size: int = 50

    def conditions(self) -> Iterator[tuple[int, float]]:
        """Shots and ratio of false labels; all labels are false only at the most shots."""
        yield from ((shots, 0.0) for shots in self.shots)
        yield max(self.shots), 1.0


def evaluate_zoo(checkpoints: Sequence[Checkpoint], plan: ZooEvaluation) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Evaluate all models.

    Args:
        checkpoints: the models.
        plan: how much to evaluate.

    Returns:
        The records of episodes, with the condition columns shots and false_ratio, and the records of mini-VQA.
    """
    links = evaluate_links(checkpoints, [concepts.load_dataset(name) for name in plan.data], plan)
    questions = evaluation.evaluate(checkpoints, _mini_vqa_design(plan), batch_size=plan.batch_size)
    return links, questions


def evaluate_links(checkpoints: Sequence[Checkpoint], datasets: Sequence[Dataset], plan: ZooEvaluation) -> pd.DataFrame:
    """Records of episodes of some datasets, with the condition columns shots and false_ratio."""
    designs = [_link_design(dataset, plan) for dataset in datasets]
    frames = [evaluation.evaluate(checkpoints, design, batch_size=plan.batch_size) for design in designs]
    return pd.concat(frames, ignore_index=True)


def _link_design(dataset: Dataset, plan: ZooEvaluation) -> Design:
    def draw(shots: int, ratio: float, query: int) -> Episode:
        return episodes.falsify(episodes.draw_episode(dataset, plan.seed, query, shots), ratio)

    conditions = [
        ({"shots": shots, "false_ratio": ratio}, partial(draw, shots, ratio)) for shots, ratio in plan.conditions()
    ]
    return evaluation.episode_design(dataset, plan.queries, conditions)


def _mini_vqa_design(plan: ZooEvaluation) -> Design:
    world = concepts.world_100()

    def item(query: int) -> EvalItem:
        return evaluation.mini_vqa_item(world, plan.seed, query, query)

    return evaluation.Design([evaluation.Condition({}, plan.questions, item)], world.image)
