"""A prompt as token ids, by the processor's own chat template."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from lcl_lab.concepts import ImageRef
from lcl_lab.prompts import Prompt, Turn

__all__ = ["Encoded", "Encoder"]


@dataclass(frozen=True)
class Encoded:
    """Token ids of the prompt, an image being one placeholder, and those of each candidate answer."""

    prefix: list[int]
    candidates: tuple[list[int], ...]
    images: tuple[ImageRef, ...]

    def expanded(self, placeholder: int, tokens: Sequence[int]) -> list[int]:
        """The prefix with the placeholder of image i repeated tokens[i] times."""
        counts = iter(tokens)
        return [token for t in self.prefix for token in [t] * (next(counts) if t == placeholder else 1)]

    def units(self, placeholder: int, images: Sequence[Hashable]) -> list[Hashable]:
        """The prefix with image i in place of its placeholder."""
        left = iter(images)
        return [next(left) if token == placeholder else token for token in self.prefix]


# For models that were never taught a chat: a line each, and an answer ends with its line.
_TEMPLATE = (
    "{% for message in messages %}{{ message.role | capitalize }}:"
    "{% for part in message.content %} {{ 'IMAGE' if part.type == 'image' else part.text }}{% endfor %}\n{% endfor %}"
    "{{ 'Assistant:' if add_generation_prompt }}"
)


_ANSWER = "cactihog"  # stands for any


class Encoder:
    """Encodes prompts with one processor and its chat template. An answer's ids include the end of its turn."""

    def __init__(self, processor: Any) -> None:
        self._processor = processor
        self._tokenizer = processor.tokenizer
        own = getattr(processor, "chat_template", None)
        image = getattr(processor, "image_token", "<image>")
        self._template = own or _TEMPLATE.replace("IMAGE", image)
        self._end = "" if own else "\n"  # that the template writes after an answer, beside the end of turn
        self._written: dict[int, tuple[str, str, str]] = {}
        self.placeholder: int = processor.image_token_id

    def __call__(self, prompt: Prompt) -> Encoded:
        return Encoded(
            self._ids(self.render(prompt)),
            tuple(self._answer(prompt.turns, c) for c in prompt.candidates),
            prompt.images,
        )

    def render(self, prompt: Prompt) -> str:
        """The prompt as text, up to where the answer begins; an image is one placeholder."""
        return self._render(prompt.turns, open_answer=True)

    def text(self, ids: Sequence[int]) -> str:
        """What a model said, up to the end of its turn."""
        said = str(self._tokenizer.decode(ids, skip_special_tokens=True)).strip()
        return said.split(self._end)[0] if self._end else said

    def _answer(self, turns: Sequence[Turn], answer: str) -> list[int]:
        """The tokens that an answer adds to a prompt; the last shot and the question tell how it is written."""
        context = turns[-3:]
        if len(context) not in self._written:
            self._written[len(context)] = self._way(context)
        asked, before, after = self._written[len(context)]
        return self._ids(asked + before + answer + after)[len(self._ids(asked)) if asked else 0 :]

    def _way(self, context: Sequence[Turn]) -> tuple[str, str, str]:
        """What an answer follows if that moves its tokens, and what the template writes before and after it."""
        asked = self._render(context, open_answer=True)
        answered = self._render([*context, Turn("assistant", (_ANSWER,))], open_answer=False)
        if not answered.startswith(asked) or _ANSWER not in answered[len(asked) :]:
            raise ValueError(f"the chat template does not continue {asked!r} by the answer: {answered!r}")
        before, after = answered[len(asked) :].split(_ANSWER)
        written = before + _ANSWER + after.rstrip() + self._end
        apart = self._ids(asked) + self._ids(written) == self._ids(asked + written)
        return "" if apart else asked, before, after.rstrip() + self._end

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
