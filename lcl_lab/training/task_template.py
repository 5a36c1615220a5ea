"""Checks that a model's chat template writes the conversations of instruction data as they are."""

from __future__ import annotations

from typing import Any

from lcl_lab.concepts import ImageRef
from lcl_lab.errors import UserError
from lcl_lab.models.engine.chat_template import TemplateError
from lcl_lab.models.engine.prompt_encoder import PromptEncoder
from lcl_lab.prompts import Prompt, Turn
from lcl_lab.training.instruction_rows import TASK_IMAGES
from lcl_lab.training.instruction_tasks import InstructionTasks

__all__ = ["check_template"]

_IMAGE = ImageRef(TASK_IMAGES, "probe", 0)


def check_template(tasks: InstructionTasks, processor: Any) -> None:
    """Render a conversation with what the tasks contain: several turns, system messages.

    Args:
        tasks: the instruction data.
        processor: the processor of the model.

    Raises:
        UserError: the template refuses such conversations, or leaves out a text.
    """
    turns = [Turn("user", ("cactihog", _IMAGE))]
    if tasks.with_system:
        turns.insert(0, Turn("system", ("mushroomhaven",)))
    if tasks.with_turns:
        turns += [Turn("assistant", ("flufflegon",)), Turn("user", ("octovortex",))]
    try:
        rendered = PromptEncoder(processor).render(Prompt(tuple(turns), ()))
    except TemplateError as error:
        raise UserError(f"the model cannot be trained on it: {error}", option="tasks", value=tasks.path) from error
    texts = [part for turn in turns for part in turn.parts if isinstance(part, str)]
    if any(rendered.count(text) != 1 for text in texts) or "'type'" in rendered:
        kind = " of several turns" * tasks.with_turns + " with system messages" * tasks.with_system
        reason = f"the chat template of the model does not write every text of conversations{kind}; leave such rows out"
        raise UserError(reason, option="tasks", value=tasks.path)
