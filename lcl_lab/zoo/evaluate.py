"""What every model of the zoo does, on the same queries: link accuracy over shots, and mini-VQA."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lcl_lab.concepts import load_dataset
from lcl_lab.concepts.world import World
from lcl_lab.episodes import draw_episode, falsify, is_correct_candidate, is_correct_open
from lcl_lab.models import Checkpoint, Model, load_model
from lcl_lab.prompts import chat, draw_question

__all__ = ["Exam", "measure"]

_COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    MofNCompleteColumn(),
    TextColumn("prompts, left"),
    TimeRemainingColumn(),
)


@dataclass(frozen=True)
class Exam:
    """How much is asked. Every model gets the same episodes and questions, so that models can be paired."""

    data: tuple[str, ...] = ("world-100", "isekai-mini")
    shots: tuple[int, ...] = (0, 2, 4, 8, 16)
    queries: int = 400  # under each condition
    questions: int = 8000  # of mini-VQA, about `world-100`
    seed: int = 0
    batch_size: int = 50

    def conditions(self) -> Iterator[tuple[int, float]]:
        """Shots and false ratio; all labels are false at the most shots alone."""
        yield from ((shots, 0.0) for shots in self.shots)
        yield max(self.shots), 1.0


def measure(checkpoints: Sequence[Checkpoint], exam: Exam) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The answers of all models: episodes, and questions of mini-VQA.

    Episodes have the columns model, data, shots, false_ratio, query_id, pair, correct_open, correct_candidate;
    questions model, query_id, pair (the look-alikes that the thing belongs to), kind and correct.
    """
    episodes: list[dict[str, Any]] = []
    questions: list[dict[str, Any]] = []
    each = len(exam.data) * len(list(exam.conditions())) * exam.queries + exam.questions
    with Progress(*_COLUMNS, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=each * len(checkpoints))
        for checkpoint in checkpoints:
            bar.update(task, description=checkpoint.name)
            model = load_model(checkpoint, exam.batch_size)
            for row in _episodes(model, exam):
                episodes.append({"model": checkpoint.name, **row})
                bar.advance(task)
            for row in _questions(model, exam):
                questions.append({"model": checkpoint.name, **row})
                bar.advance(task)
    return pd.DataFrame(episodes), pd.DataFrame(questions)


def _episodes(model: Model, exam: Exam) -> Iterator[dict[str, Any]]:
    for data in exam.data:
        concepts = load_dataset(data)
        asked = [
            (shots, ratio, falsify(draw_episode(concepts, exam.seed, query, shots), ratio))
            for query in range(exam.queries)
            for shots, ratio in exam.conditions()
        ]
        answers = model.answer([chat(episode) for _, _, episode in asked], concepts.image)
        for (shots, ratio, episode), answer in zip(asked, answers, strict=True):
            true, other = answer.logliks
            yield {
                "data": data,
                "shots": shots,
                "false_ratio": ratio,
                "query_id": episode.query_id,
                "pair": episode.pair,
                "correct_open": is_correct_open(answer.text, episode.true_name, episode.other_name),
                "correct_candidate": is_correct_candidate(true.per_token, other.per_token),
            }


def _questions(model: Model, exam: Exam) -> Iterator[dict[str, Any]]:
    world = load_dataset("world-100")
    assert isinstance(world, World)
    pairs = {concept: str(pair) for pair in world.pairs for concept in pair}
    drawn = [draw_question(world, list(world.concepts), 64, exam.seed, n) for n in range(exam.questions)]
    answers = model.answer([question.prompt for question in drawn], world.image)
    for number, (question, answer) in enumerate(zip(drawn, answers, strict=True)):
        (image,) = question.prompt.images
        yield {
            "query_id": number,
            "pair": pairs[image.concept],
            "kind": question.kind,
            "correct": question.is_correct(answer.text),
        }
