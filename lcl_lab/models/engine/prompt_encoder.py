"""Prompts as token ids, rendered with the processor's chat template."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from lcl_lab.concepts import ImageRef
from lcl_lab.prompts import Prompt, Turn

__all__ = ["EncodedPrompt", "PromptEncoder"]

# For models without a chat template: one line per turn, and an answer ends with its line.
_PLAIN_TEMPLATE = (
    "{% for message in messages %}{{ message.role | capitalize }}:"
    "{% for part in message.content %} {{ 'IMAGE' if part.type == 'image' else part.text }}{% endfor %}\n{% endfor %}"
    "{{ 'Assistant:' if add_generation_prompt }}"
)
_PROBE = "cactihog"  # an answer that shows what the template writes around answers


@dataclass(frozen=True)
class EncodedPrompt:
    """A prompt as token ids.

    Attributes:
        prefix: ids of the prompt, with one placeholder per image.
        candidates: ids of each candidate answer, including the end of its turn.
        images: the images, in the order of their placeholders.
    """

    prefix: list[int]
    candidates: tuple[list[int], ...]
    images: tuple[ImageRef, ...]

    def expanded(self, placeholder: int, tokens: Sequence[int]) -> list[int]:
        """The prefix with the placeholder of image i repeated tokens[i] times."""
        counts = iter(tokens)
        return [token for t in self.prefix for token in [t] * (next(counts) if t == placeholder else 1)]

    def units(self, placeholder: int, images: Sequence[Hashable]) -> list[Hashable]:
        """The prefix with images[i] in place of the i-th placeholder."""
        remaining = iter(images)
        return [next(remaining) if token == placeholder else token for token in self.prefix]


class PromptEncoder:
    """Encodes prompts with a processor's tokenizer and chat template.

    Args:
        processor: a processor of `transformers` with an image token.

    Attributes:
        placeholder: id of the image token.
    """

    def __init__(self, processor: Any) -> None:
        self._processor = processor
        self._tokenizer = processor.tokenizer
        template = getattr(processor, "chat_template", None)
        image_token = getattr(processor, "image_token", "<image>")
        self._template = template or _PLAIN_TEMPLATE.replace("IMAGE", image_token)
        self._end = "" if template else "\n"  # ends an answer, in addition to what the template writes
        self._surroundings: dict[int, tuple[str, str, str]] = {}
        self.placeholder: int = processor.image_token_id

    def __call__(self, prompt: Prompt) -> EncodedPrompt:
        """Encode a prompt and its candidates."""
        return EncodedPrompt(
            self._ids(self.render(prompt)),
            tuple(self._answer_ids(prompt.turns, candidate) for candidate in prompt.candidates),
            prompt.images,
        )

    def render(self, prompt: Prompt) -> str:
        """The prompt as text, up to where the answer begins, with one placeholder per image."""
        return self._render(prompt.turns, open_answer=True)

    def text(self, ids: Sequence[int]) -> str:
        """The text of a generated answer, up to the end of its turn."""
        decoded = str(self._tokenizer.decode(ids, skip_special_tokens=True)).strip()
        return decoded.split(self._end)[0] if self._end else decoded

    def _answer_ids(self, turns: Sequence[Turn], answer: str) -> list[int]:
        """The tokens that an answer adds to a prompt."""
        context = turns[-3:]  # the last shot and the question determine how the template writes the answer
        if len(context) not in self._surroundings:
            self._surroundings[len(context)] = self._probe_template(context)
        question, before, after = self._surroundings[len(context)]
        return self._ids(question + before + answer + after)[len(self._ids(question)) if question else 0 :]

    def _probe_template(self, context: Sequence[Turn]) -> tuple[str, str, str]:
        """The question, if the answer's tokens depend on it, and the text before and after an answer."""
        question = self._render(context, open_answer=True)
        answered = self._render([*context, Turn("assistant", (_PROBE,))], open_answer=False)
        if not answered.startswith(question) or _PROBE not in answered[len(question) :]:
            raise ValueError(f"the chat template does not continue {question!r} with the answer: {answered!r}")
        before, after = answered[len(question) :].split(_PROBE)
        written = before + _PROBE + after.rstrip() + self._end
        independent = self._ids(question) + self._ids(written) == self._ids(question + written)
        return "" if independent else question, before, after.rstrip() + self._end

    def _render(self, turns: Sequence[Turn], open_answer: bool) -> str:
        messages = [{"role": turn.role, "content": [_part(part) for part in turn.parts]} for turn in turns]
        rendered = self._processor.apply_chat_template(
            messages, chat_template=self._template, tokenize=False, add_generation_prompt=open_answer
        )
        return str(rendered)

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])


def _part(part: str | ImageRef) -> dict[str, str]:
    return {"type": "image"} if isinstance(part, ImageRef) else {"type": "text", "text": part}
