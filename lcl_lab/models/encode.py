"""A prompt as token ids, by the processor's own chat template."""

from __future__ import annotations

from collections.abc import Sequence
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


class Encoder:
    """Encodes prompts with one processor. An answer's ids include the end of its turn."""

    def __init__(self, processor: Any) -> None:
        self._processor = processor
        self._tokenizer = processor.tokenizer
        self._answers: dict[str, list[int]] = {}
        self.placeholder: int = processor.image_token_id

    def __call__(self, prompt: Prompt) -> Encoded:
        prefix = self._ids(self._render(prompt.turns, open_answer=True))
        return Encoded(prefix, tuple(self._answer(prompt.turns[-1], c) for c in prompt.candidates), prompt.images)

    def text(self, ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=True)).strip()

    def _answer(self, question: Turn, answer: str) -> list[int]:
        if answer not in self._answers:
            asked = self._render((question,), open_answer=True)
            answered = self._render((question, Turn("assistant", (answer,))), open_answer=False)
            if not answered.startswith(asked):
                raise ValueError(f"the chat template does not continue {asked!r} by the answer: {answered!r}")
            self._answers[answer] = self._ids(answered[len(asked) :].rstrip())
        return self._answers[answer]

    def _render(self, turns: Sequence[Turn], open_answer: bool) -> str:
        messages = [{"role": turn.role, "content": [_part(part) for part in turn.parts]} for turn in turns]
        return str(self._processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=open_answer))

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])


def _part(part: str | ImageRef) -> dict[str, str]:
    return {"type": "image"} if isinstance(part, ImageRef) else {"type": "text", "text": part}
