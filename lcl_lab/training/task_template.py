"""Checks that a model's chat template writes the conversations of instruction data as they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lcl_lab.concepts import ImageRef
from lcl_lab.errors import UserError
from lcl_lab.models.engine.chat_template import TemplateError
from lcl_lab.models.engine.prompt_encoder import PromptEncoder
from lcl_lab.prompts import Prompt, Turn
from lcl_lab.training.instruction_rows import TASK_IMAGES
from lcl_lab.training.instruction_tasks import InstructionTasks, Kinds

__all__ = ["check_template"]

_IMAGE = ImageRef(TASK_IMAGES, "probe", 0)
_QUESTION, _ANSWER = Turn("user", ("cactihog", _IMAGE)), Turn("assistant", ("flufflegon",))
_SYSTEM = Turn("system", ("mushroomhaven",))


def check_template(tasks: InstructionTasks, processor: Any) -> None:
    """Render a conversation of each kind that the tasks contain.

    Args:
        tasks: the instruction data.
        processor: the processor of the model.

    Raises:
        UserError: the template refuses such conversations, or leaves out a text.
    """
    for kind, turns in _conversations(tasks.kinds):
        texts = [part for turn in turns for part in turn.parts if isinstance(part, str)]
        try:
            rendered = PromptEncoder(processor).render(Prompt(turns, ()))
        except TemplateError as error:
            raise UserError(f"the model cannot be trained on it: {error}", option="tasks", value=tasks.path) from error
        if any(rendered.count(text) != 1 for text in texts) or "'type'" in rendered:
            reason = f"the chat template of the model does not write every text of conversations {kind}"
            raise UserError(f"{reason}; leave such rows out", option="tasks", value=tasks.path)


def _conversations(kinds: Kinds) -> Iterator[tuple[str, tuple[Turn, ...]]]:
    """Each kind in words, with a conversation."""
    yield "about an image", (_QUESTION,)
    if kinds.system:
        yield "with a system message", (_SYSTEM, _QUESTION)
    if kinds.turns:
        yield "of several turns", (_QUESTION, _ANSWER, Turn("user", ("octovortex",)))
    if kinds.image_turns:
        yield "with an image in every turn", (_QUESTION, _ANSWER, Turn("user", ("octovortex", _IMAGE)))
