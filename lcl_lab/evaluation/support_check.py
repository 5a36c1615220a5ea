"""Checks whether a model sees the images of a support. Several implementations drop all images but the last."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from lcl_lab.concepts import ImageRef
from lcl_lab.episodes.replaced_images import noise

if TYPE_CHECKING:
    from lcl_lab.models import Answer
    from lcl_lab.prompts import Prompt

__all__ = ["sees_support"]

_PROMPTS = 4
_TOLERANCE = 1e-4  # nats per token; smaller differences are rounding errors


def sees_support(answer: Callable[[Sequence[Prompt]], Sequence[Answer]], prompts: Iterable[Prompt]) -> bool | None:
    """Whether noise in place of the support's images changes the log-likelihoods of any of a few prompts.

    Args:
        answer: returns a model's answers to prompts, which may have images that replace others.
        prompts: prompts; the first ones with support images and candidates are used.

    Returns:
        None if no prompt has support images and candidates, or the model gives no log-likelihoods.
    """
    intact = list(islice((prompt for prompt in prompts if len(prompt.images) > 1 and prompt.candidates), _PROMPTS))
    # Requests to a server that gives none are not sent for nothing: it answers the first prompt in any case.
    if not intact or not answer(intact[:1])[0].logliks:
        return None
    answers = answer([*intact, *map(_with_noise, intact)])
    return any(map(_differ, answers[: len(intact)], answers[len(intact) :]))


def _with_noise(prompt: Prompt) -> Prompt:
    """The prompt with noise in place of every image but the query."""
    *support, query = prompt.turns
    turns = [
        replace(turn, parts=tuple(noise(part) if isinstance(part, ImageRef) else part for part in turn.parts))
        for turn in support
    ]
    return replace(prompt, turns=(*turns, query))


def _differ(first: Answer, second: Answer) -> bool:
    pairs = zip(first.logliks, second.logliks, strict=True)
    return any(abs(one.per_token - other.per_token) > _TOLERANCE for one, other in pairs)
