"""Chat templates: how a model's template writes a conversation, and where in it an answer begins and ends.

Templates differ in more than their special tokens. Some open or write an empty block for thinking before an answer,
some refuse a conversation that ends with an answer, and some write no end of turn. A `ChatTemplate` finds out by
rendering short conversations.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from lcl_lab.concepts import ImageRef
from lcl_lab.models.engine.template_trial import LIMITS, finishes
from lcl_lab.prompts import Turn

__all__ = ["THINKING_SWITCHES", "AnswerFormat", "ChatTemplate", "Shape", "TemplateError", "shape_of"]

THINKING_SWITCHES = ("enable_thinking", "thinking")
"""Variables of templates that turn thinking on and off."""

# For models without a chat template: one line per turn, and an answer ends with its line. Jinja drops the line break
# after a block, so line breaks are written as expressions.
_PLAIN_TEMPLATE = (
    "{% for message in messages %}{{ message.role | capitalize + ':' }}"
    "{% for part in message.content %}{{ ' ' + (IMAGE if part.type == 'image' else part.text) }}{% endfor %}"
    "{{ '\\n' }}{% endfor %}"
    "{{ 'Assistant:' if add_generation_prompt }}"
)
# For those whose processors write the only image in front of the text themselves.
_ONE_IMAGE_TEMPLATE = (
    "{% for message in messages %}{{ 'Question:' if message.role == 'user' else ' Answer:' }}"
    "{% for part in message.content if part.type == 'text' %}{{ ' ' + part.text }}{% endfor %}"
    "{{ '\\n' if message.role == 'assistant' }}{% endfor %}"
    "{{ ' Answer:' if add_generation_prompt }}"
)
_PROBE = "cactihog"  # an answer that shows what the template writes around answers
_PROBE_IMAGE = ImageRef("probe", "probe", 0)
_FOLLOWING = Turn("user", ("Next.",))
_THINKING_TAGS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|channel>thought", "<channel|>"),
)
_CONTENT_STYLES = (("parts", "parts"), ("parts", "text"), ("text", "text"))  # of the user's and the model's turns


Shape = tuple[tuple[str, bool], ...]
"""Role of each turn, and whether it has an image."""


class TemplateError(Exception):
    """A chat template that cannot write a conversation with images."""


@dataclass(frozen=True)
class AnswerFormat:
    """What a template writes around an answer.

    Attributes:
        closing: text that ends the model's thinking before it answers; empty where a template has no thinking.
        before: text in front of an answer that the model generates as part of it, such as a space.
        after: the end of the turn.
    """

    closing: str
    before: str
    after: str


class ChatTemplate:
    """Writes conversations with a model's chat template.

    Args:
        processor: a processor of `transformers`.
        ends: texts of the tokens that end an answer according to the model's generation config, the usual one first.
        thinking: let a model that can think do so before it answers; otherwise its thinking is left empty.
        one_image: whether the processor writes the only image of a prompt in front of the text itself.

    Attributes:
        is_plain: whether the model has no template, so that an answer ends with its line.
        image: what the template writes for an image; empty if the processor does.
        switches: variables of the template that turn thinking on or off.

    Raises:
        TemplateError: the template cannot write a conversation with images.
    """

    def __init__(
        self, processor: Any, ends: Sequence[str] = (), thinking: bool = False, one_image: bool = False
    ) -> None:
        self._processor, self._ends, self.thinking = processor, tuple(ends), thinking
        self._image_token = str(getattr(processor, "image_token", None) or "<image>")
        template = _template_of(processor)
        self.is_plain = template is None
        plain = _ONE_IMAGE_TEMPLATE if one_image else _PLAIN_TEMPLATE.replace("IMAGE", repr(self._image_token))
        self._template = template or plain
        self.switches = {name: thinking for name in THINKING_SWITCHES if name in self._template}
        if template and not finishes(template, list(self._trials())):
            raise TemplateError(f"its chat template does not finish within {LIMITS}")
        self._formats: dict[Shape, AnswerFormat] = {}
        self._styles, self.image = (("parts", "parts"), "") if one_image else self._find_styles()

    def question(self, turns: Sequence[Turn]) -> str:
        """A conversation up to where the model continues it, with one placeholder per image."""
        rendered = self._render(turns, open_answer=True)
        return rendered if self.thinking else rendered + self.answer_format(turns).closing

    def answer_format(self, turns: Sequence[Turn]) -> AnswerFormat:
        """What surrounds an answer to a conversation."""
        context = turns[-3:]  # the last shot and the question determine how a template writes an answer
        shape = shape_of(context)
        if shape not in self._formats:
            self._formats[shape] = self._probe(context)
        return self._formats[shape]

    def answer_start(self, generated: str) -> int | None:
        """Where the answer begins in generated text: after the thinking; None if the thinking has not ended."""
        for opening, closing in _THINKING_TAGS:
            if closing in generated:
                return generated.rindex(closing) + len(closing)
            if opening in generated:
                return None
        opened = self.thinking and any(one.closing for one in self._formats.values())
        return None if opened else 0

    def _probe(self, context: Sequence[Turn]) -> AnswerFormat:
        question = self._render(context, open_answer=True)
        answer = Turn("assistant", (_PROBE,))
        followed = self._render([*context, answer, _FOLLOWING], open_answer=False)
        try:
            answered = self._render([*context, answer], open_answer=False)
        except TemplateError:  # some refuse a conversation that ends with an answer
            answered = followed
        start = answered.rindex(_PROBE)
        before = answered[len(question) : start] if answered.startswith(question) else ""
        closing, before = _closing(question, before)
        after = "" if answered is followed else answered[start + len(_PROBE) :]
        return AnswerFormat(closing, before, self._end_of_turn(after, followed.rpartition(_PROBE)[2]))

    def _end_of_turn(self, last: str, followed: str) -> str:
        """The end of a turn, from what is written after the last answer and after one that another turn follows."""
        if self.is_plain:
            return "\n"
        special = [str(token) for token in self._processor.tokenizer.added_tokens_decoder.values() if token.special]
        ends = [(last.index(token), -len(token), token) for token in {*self._ends, *special} if token in last]
        if ends:
            start, _, token = min(ends)
            return last[:start] + token
        next_turn = followed.lstrip()
        for token in filter(next_turn.startswith, self._ends):  # such as the user's mark, which some models generate
            return followed[: len(followed) - len(next_turn)] + token
        return last.rstrip() + (self._ends[0] if self._ends else "")  # the model generates what the template leaves out

    def _trials(self) -> Iterator[dict[str, Any]]:
        """The variables of short conversations in all styles."""
        tokens = getattr(self._processor.tokenizer, "special_tokens_map", {})
        special = {name: str(token) for name, token in tokens.items()}
        asked = _probe_turns(_PROBE_IMAGE)
        answered = [*asked, Turn("assistant", (_PROBE,))]
        conversations = ((asked, True), (_probe_turns(), True), (answered, False), ([*answered, _FOLLOWING], False))
        for styles in _CONTENT_STYLES:
            for turns, open_answer in conversations:
                messages = [{"role": turn.role, "content": self._content(turn, styles)} for turn in turns]
                yield {**special, **self.switches, "messages": messages, "add_generation_prompt": open_answer}

    def _find_styles(self) -> tuple[tuple[str, str], str]:
        """How the template wants the content of the user's and the model's turns, and what it writes for an image."""
        reason = TemplateError("its chat template writes no placeholder for an image")
        for self._styles in _CONTENT_STYLES:
            try:
                rendered = self._render(_probe_turns(_PROBE_IMAGE), open_answer=True)
                without = self._render(_probe_turns(), open_answer=True)
            except TemplateError as error:
                reason = error
                continue
            if rendered.count(_PROBE) != 1 or "'type'" in rendered:
                continue
            between = rendered.partition("First.")[2].partition("Second.")[0].strip()
            # Some number the images, some move them in front of the text.
            for image in (between, self._image_token, _inserted(rendered, without)):
                if image and rendered.count(image) == 2:
                    return self._styles, image
        raise reason

    def _render(self, turns: Sequence[Turn], open_answer: bool) -> str:
        messages = [{"role": turn.role, "content": self._content(turn, self._styles)} for turn in turns]
        try:
            rendered = self._processor.apply_chat_template(
                messages,
                chat_template=self._template,
                tokenize=False,
                add_generation_prompt=open_answer,
                **self.switches,
            )
        except Exception as error:  # a template may raise anything
            reason = " ".join(str(error).split())[:200]
            raise TemplateError(f"its chat template fails: {type(error).__name__}: {reason}") from error
        return str(rendered)

    def _content(self, turn: Turn, styles: tuple[str, str]) -> str | list[dict[str, str]]:
        if styles[turn.role == "assistant"] == "parts":
            return [_part(part) for part in turn.parts]
        return "\n".join(self._image_token if isinstance(part, ImageRef) else part for part in turn.parts)


def shape_of(turns: Sequence[Turn]) -> Shape:
    """Who speaks in each turn, and whether it has an image: what the words of a template around turns may depend on."""
    return tuple((turn.role, any(isinstance(part, ImageRef) for part in turn.parts)) for turn in turns)


def _template_of(processor: Any) -> str | None:
    """The template of a processor, or else of its tokenizer; the default one where there are several."""
    for owner in (processor, processor.tokenizer):
        template = getattr(owner, "chat_template", None)
        if isinstance(template, dict):
            template = template.get("default")
        if template:
            return str(template)
    return None


def _closing(question: str, before: str) -> tuple[str, str]:
    """What closes the model's thinking between a question and an answer, and the rest of `before`."""
    for opening, closing in _THINKING_TAGS:
        if closing in before:
            text = before.rpartition(closing)[2]
            rest = text.lstrip()
            return before[: len(before) - len(rest)], rest
        if question.rfind(opening) > question.rfind(closing):
            line = "\n" if question.endswith("\n") else ""
            return f"{line}{closing}{line}{line}", before
    return "", before


def _probe_turns(*images: ImageRef) -> list[Turn]:
    """A shot and a question, each with these images."""
    question = Turn("user", ("First.", *images, "Second."))
    return [question, Turn("assistant", (_PROBE,)), question]


def _inserted(with_images: str, without: str) -> str:
    """What a text has at the first place where it differs from another one."""
    start = _common_length(with_images, without)
    rest = without[start:]
    end = with_images.find(rest[:8], start) if rest else len(with_images)
    return with_images[start:end].strip()


def _common_length(one: str, other: str) -> int:
    """The length of the longest common beginning."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _part(part: str | ImageRef) -> dict[str, str]:
    return {"type": "image"} if isinstance(part, ImageRef) else {"type": "text", "text": part}
