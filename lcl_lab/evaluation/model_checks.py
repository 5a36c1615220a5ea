"""What is checked of models, and of what users' models and datasets return, so that mistakes end before a long run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from lcl_lab import episodes, models
from lcl_lab.errors import UserError
from lcl_lab.evaluation.support_check import sees_support
from lcl_lab.type_checks import check_type

if TYPE_CHECKING:
    from lcl_lab.evaluation.design import Design
    from lcl_lab.models import Answer, Checkpoint, Model
    from lcl_lab.prompts import Prompt

__all__ = [
    "BLIND",
    "UNSAYABLE",
    "Note",
    "check_before_loading",
    "check_logliks",
    "check_support",
    "checked_answers",
]

_CHECKED = 200  # queries of each condition whose prompts are checked before a model is loaded
_SUPPORT_CHECKED = 2  # queries of each condition that are tried with noise in the support
Note = Callable[..., None]
"""Appends an event and its fields to the log of a run; see `Run.note`."""
BLIND = "support images not seen"
"""The event in a run's log about a `model` that does not see the images of supports."""
UNSAYABLE = "unsayable names"
"""The event in a run's log about names that a model cannot generate, with `model`, `names` and `unsayable`."""


def check_before_loading(
    note: Note,
    checkpoints: Sequence[Checkpoint],
    dtype: str,
    design: Design,
    notify: Callable[[str], None] | None,
    loaded: Collection[str] = (),
    processes: int = 1,
) -> None:
    """Check memory, context length and names of models before any is loaded.

    Args:
        note: receives how many names a model cannot generate.
        checkpoints: the models; those that need no check are left out.
        dtype: precision of the weights.
        design: up to 200 queries of each of its conditions are checked.
        notify: receives a line about the memory that a model needs, and one about such names.
        loaded: names of models whose weights are in memory already.
        processes: that load the model into the memory of this machine.

    Raises:
        UserError: a model cannot answer the longest prompt on this machine.
    """
    checked = list(filter(models.needs_preflight, checkpoints))
    sampled = [(condition, condition.sample(_CHECKED)) for condition in design.conditions] if checked else []
    for checkpoint in checked:
        items = [item for condition, some in sampled if condition.includes(checkpoint.name) for item in some]
        longest = max((item.prompt for item in items), key=lambda prompt: (len(prompt.images), len(prompt.text)))
        requirements = models.check_requirements(
            checkpoint, dtype, longest, design.images, checkpoint.name in loaded, processes
        )
        of_episodes = [item.prompt for item in items if isinstance(item.episode, episodes.Episode)]
        candidates = [name for prompt in of_episodes for name in prompt.candidates]
        check = models.check_names(checkpoint, [name for name in candidates if name != episodes.NONE_OF_THESE])
        if check.unsayable:
            note(UNSAYABLE, model=check.model, names=check.names, unsayable=check.unsayable)
        if notify and not models.is_shipped(checkpoint):
            notify(str(requirements))
        if notify and check.unsayable:
            notify(str(check))


def check_logliks(name: str, model: Model, design: Design) -> None:
    """Check that a model measures candidates, if the design calibrates its choice between them.

    Args:
        name: the model's name in its records.
        model: the loaded model.
        design: one query is answered, if it calibrates.

    Raises:
        UserError: the model gives no log-likelihoods.
    """
    if not design.calibrate:
        return
    included = (condition.item(0) for condition in design.conditions if condition.includes(name))
    prompt = next((item.prompt for item in included if item.prompt.candidates), None)
    if prompt is None:
        return
    (answer,) = checked_answers(name, model.answer([prompt], design.images), [prompt])
    if not answer.logliks:
        raise UserError(f"{name} gives no log-likelihoods of candidates to calibrate; leave it out", option="calibrate")


def check_support(note: Note, name: str, model: Model, design: Design, notify: Callable[[str], None] | None) -> None:
    """Note in the run's log, and say, if a model does not see the images of supports; see `sees_support`.

    Args:
        note: receives the event.
        name: the model's name in its records.
        model: the loaded model.
        design: a few queries of each of its conditions are answered.
        notify: receives the line.
    """
    included = [condition for condition in design.conditions if condition.includes(name)]
    prompts = (item.prompt for condition in included for item in condition.sample(_SUPPORT_CHECKED))

    def answer(some: Sequence[Prompt]) -> list[Answer]:
        return list(checked_answers(name, model.answer(some, design.images), some))

    if sees_support(answer, prompts) is not False:
        return
    note(BLIND, model=name)
    if notify:
        notify(f"{name} does not see the support's images: noise in their place changes no log-likelihood")


def checked_answers(name: str, answers: object, prompts: Sequence[Prompt]) -> Iterator[models.Answer]:
    """The answers of a model, if they are answers; that of a user may yield anything, and any number of it.

    Args:
        name: the model's name, for error messages.
        answers: what the model yields.
        prompts: the prompts.

    Yields:
        One answer per prompt.

    Raises:
        UserError: says what is wrong with an answer, or with their number.
    """
    check_type(answers, Iterable, "model", f"answer() of {name} must yield an Answer per prompt")
    remaining = iter(answers)  # type: ignore[call-overload]
    for number, prompt in enumerate(prompts):
        answer = next(remaining, None)
        if answer is None:
            raise UserError(f"answer() yields {number} answers to {len(prompts)} prompts", option="model", value=name)
        check_type(answer, models.Answer, "model", f"answer() of {name} must yield one per prompt")
        check_type(answer.text, str, "model", f"it is the text of an answer of {name}")
        for loglik in answer.logliks:
            check_type(loglik, models.Loglik, "model", f"{name} must give log-likelihoods as Loglik(total, tokens)")
        candidates = len(prompt.candidates)
        if len(answer.logliks) not in (0, candidates):
            reason = f"gives {len(answer.logliks)} log-likelihoods for {candidates} candidates; give one for each"
            raise UserError(reason, option="model", value=name)
        yield answer
    if next(remaining, None) is not None:
        raise UserError(f"answer() yields more answers than {len(prompts)} prompts", option="model", value=name)
