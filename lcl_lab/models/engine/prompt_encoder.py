"""Prompts as token ids, rendered with the model's chat template."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from lcl_lab.concepts import ImageRef
from lcl_lab.models.engine.chat_template import ChatTemplate
from lcl_lab.prompts import Prompt, Turn

__all__ = ["EncodedPrompt", "Generated", "PromptEncoder"]


@dataclass(frozen=True)
class EncodedPrompt:
    """A prompt as token ids.

    Attributes:
        prefix: ids of the prompt, with one placeholder per image.
        candidates: ids of each candidate answer, including the end of its turn.
        closing: number of ids at the start of each candidate that end the model's thinking and are not scored.
        images: the images, in the order of their placeholders.
        placeholder: the id that stands for an image in the prefix.
    """

    prefix: list[int]
    candidates: tuple[list[int], ...]
    closing: int
    images: tuple[ImageRef, ...]
    placeholder: int

    def expanded(self, tokens: Sequence[int]) -> list[int]:
        """The prefix with the placeholder of image i repeated tokens[i] times."""
        counts = iter(tokens)
        return [token for t in self.prefix for token in [t] * (next(counts) if t == self.placeholder else 1)]

    def units(self, images: Sequence[Hashable]) -> list[Hashable]:
        """The prefix with images[i] in place of the i-th placeholder.

        Raises:
            ValueError: there are more or fewer placeholders than images.
        """
        if self.prefix.count(self.placeholder) != len(images):
            raise ValueError(f"{len(images)} images, but {self.prefix.count(self.placeholder)} placeholders")
        remaining = iter(images)
        return [next(remaining) if token == self.placeholder else token for token in self.prefix]


@dataclass(frozen=True)
class Generated:
    """A generated answer.

    Attributes:
        text: the answer; None if the model has not ended its thinking.
        thinking: what the model wrote before the answer.
        cut_off: whether the model would have gone on.
    """

    text: str | None
    thinking: str
    cut_off: bool


class PromptEncoder:
    """Encodes prompts with a processor's tokenizer and chat template.

    Args:
        processor: a processor of `transformers` with a tokenizer.
        ends: ids of the tokens that end an answer according to the model's generation config, the usual one first;
            default is the tokenizer's end of sequence.
        thinking: let a model that can think do so before it answers.

    Attributes:
        placeholder: the id that stands for an image in an encoded prompt.
        ends: ids of the tokens that end an answer; includes the template's end of turn.

    Raises:
        TemplateError: the chat template cannot write a conversation with images.
    """

    def __init__(self, processor: Any, ends: Sequence[int] = (), thinking: bool = False) -> None:
        self._tokenizer = processor.tokenizer
        known = [*ends, *([] if self._tokenizer.eos_token_id is None else [self._tokenizer.eos_token_id])]
        self.template = ChatTemplate(processor, self._tokenizer.convert_ids_to_tokens(known), thinking)
        start = self._tokenizer("a")["input_ids"][:1]
        self._start = self._tokenizer.bos_token if start == [self._tokenizer.bos_token_id] else ""
        self._image = self._ids(self.template.image)
        marks = getattr(processor, "image_token_id", None)
        self.placeholder = marks if marks in self._image else self._image[0]
        self.ends = tuple(dict.fromkeys([*known, *self._end_of_turn()]))
        self._contexts: dict[int, tuple[str, int]] = {}

    def __call__(self, prompt: Prompt) -> EncodedPrompt:
        """Encode a prompt and its candidates."""
        question, closing = self._context(prompt.turns)
        return EncodedPrompt(
            self._collapse(self._ids(self.render(prompt))),
            tuple(self._answer_ids(prompt.turns, question, candidate) for candidate in prompt.candidates),
            closing,
            prompt.images,
            self.placeholder,
        )

    def render(self, prompt: Prompt) -> str:
        """The prompt as text, up to where the model continues it, with one placeholder per image.

        It starts with the token that the tokenizer writes at the start of every text, as `transformers` would add it.
        """
        text = self.template.question(prompt.turns)
        return text if text.startswith(self._start) else self._start + text

    def parse(self, ids: Sequence[int]) -> Generated:
        """A generated answer, without the model's thinking and the end of its turn."""
        ended = next((place for place, token in enumerate(ids) if token in self.ends), None)
        ids = ids if ended is None else ids[:ended]
        first = self._answer_starts_at(ids)
        if first is None:
            return Generated(None, self._decode(ids), cut_off=True)
        text = self._decode(ids[first:])
        if self.template.is_plain:
            text, line_end, _ = text.partition("\n")
            return Generated(text, "", cut_off=ended is None and not line_end)
        return Generated(text, self._decode(ids[:first]), cut_off=ended is None)

    def _answer_starts_at(self, ids: Sequence[int]) -> int | None:
        """The number of ids of the model's thinking; None if it has not ended."""
        text = self._tokenizer.decode(ids)
        start = self.template.answer_start(text)
        if not start:
            return start
        return next(k for k in range(1, len(ids) + 1) if len(self._tokenizer.decode(ids[:k])) >= start)

    def _decode(self, ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=True)).strip()

    def _end_of_turn(self) -> list[int]:
        """The id of the template's end of turn, if that is one token."""
        after = self.template.answer_format([Turn("user", ("?",))]).after.strip()
        ids = self._ids(after) if after else []
        return ids if len(ids) == 1 else []

    def _context(self, turns: Sequence[Turn]) -> tuple[str, int]:
        """The question, if the answer's tokens depend on it, and the number of ids that close the thinking."""
        count = len(turns[-3:])
        if count not in self._contexts:
            question, surroundings = self.template.question(turns[-3:]), self.template.answer_format(turns)
            closing = surroundings.closing if self.template.thinking else ""
            written = f"{closing}{surroundings.before}a{surroundings.after}"
            independent = self._ids(question) + self._ids(written) == self._ids(question + written)
            self._contexts[count] = ("" if independent else question, len(self._ids(closing)))
        return self._contexts[count]

    def _answer_ids(self, turns: Sequence[Turn], question: str, answer: str) -> list[int]:
        """The tokens that an answer adds to a prompt."""
        surroundings = self.template.answer_format(turns)
        closing = surroundings.closing if self.template.thinking else ""
        written = f"{closing}{surroundings.before}{answer}{surroundings.after}"
        before, joined = self._ids(question) if question else [], self._ids(question + written)
        # Where the tokens of the question change when an answer follows, the model could not continue them this way.
        return joined[len(before) :] if joined[: len(before)] == before else self._ids(written)

    def _collapse(self, ids: list[int]) -> list[int]:
        """The ids with one placeholder for each image, where the template writes more than one token."""
        length = len(self._image)
        if length == 1:
            return ids
        collapsed: list[int] = []
        place = 0
        while place < len(ids):
            is_image = ids[place : place + length] == self._image
            collapsed.append(self.placeholder if is_image else ids[place])
            place += length if is_image else 1
        return collapsed

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])
