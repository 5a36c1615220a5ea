"""Items that are not episodes: questions of mini-VQA and of VQAv2."""

from __future__ import annotations

from statistics import mode
from typing import TYPE_CHECKING

from lcl_lab import analysis, prompts
from lcl_lab.evaluation.design import EvalItem, Question

if TYPE_CHECKING:
    from lcl_lab.analysis.vqa_scoring import VQAVariant
    from lcl_lab.concepts import VQA, World

__all__ = ["mini_vqa_item", "vqa_item"]

_IMAGES = 64  # per concept of the world that mini-VQA is about
_SHORT = "Answer the question using a single word or phrase."


def mini_vqa_item(world: World, seed: int, number: int, query_id: int) -> EvalItem:
    """Question `number` of mini-VQA, whose kinds take turns; its cluster is the pair of the concept shown.

    Args:
        world: the embedded world that questions are about.
        seed: the study seed.
        number: the number of the question.
        query_id: its number under its condition.
    """
    question = prompts.draw_question(world, list(world.concepts), _IMAGES, seed, number)
    (image,) = question.prompt.images
    (pair,) = (str(pair) for pair in world.pairs if image.concept in pair)
    return EvalItem(
        Question(
            data=world.name,
            seed=seed,
            query_id=query_id,
            pair=pair,
            id=f"{seed}-{number}",
            query=str(image),
            true_name=question.prompt.candidates[0],
        ),
        question.prompt,
        grade=lambda answer: float(question.is_correct(answer)),
    )


def vqa_item(vqa: VQA, seed: int, query_id: int, variant: VQAVariant = "official") -> EvalItem:
    """The question at `query_id` in VQAv2's file, graded by a variant of VQAv2's accuracy; its cluster is the image."""
    question = vqa.questions[query_id]
    return EvalItem(
        Question(
            data="VQAv2",
            seed=seed,
            query_id=query_id,
            pair=str(question.image),
            id=str(question.id),
            query=str(question.image),
            true_name=mode(question.answers),
        ),
        prompts.Prompt((prompts.Turn("user", (question.image, f"{question.text}\n{_SHORT}")),), ()),
        grade=lambda answer: analysis.vqa_accuracy(answer, question.answers, variant),
    )
