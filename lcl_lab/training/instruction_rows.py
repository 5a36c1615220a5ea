"""Reads one row of instruction data as a conversation: LLaVA's conversations, and messages of ShareGPT or HF."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lcl_lab.concepts import ImageRef
from lcl_lab.errors import shorten
from lcl_lab.prompts import Prompt, Turn

__all__ = ["IMAGES", "MESSAGES", "STORED", "TASK_IMAGES", "Conversation", "RowError", "read_conversation"]

TASK_IMAGES = "task-images"
"""The dataset name of the images of instruction data in prompts.

An image file has its path as the concept and the number 0; image k of row n that is stored with the row has the
concept n and the number k, counted from 1.
"""
MESSAGES = ("conversations", "messages")
"""Names under which a row has its turns."""
IMAGES = ("images", "image")
"""Names under which a row has its images."""
STORED = object()
"""Stands for an image that is stored with its row."""
_PLACEHOLDER = "<image>"
_ROLES: Mapping[str, Literal["system", "user", "assistant"]] = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "system": "system",
}


class RowError(Exception):
    """A row that is no conversation; the message says what is wrong with it and what is expected, in one line."""


@dataclass(frozen=True)
class Conversation:
    """A conversation that ends with an answer.

    Attributes:
        turns: the turns: at most one of the system, then the user's and the assistant's in alternation.
        answers: positions of the assistant's turns that have text.
    """

    turns: tuple[Turn, ...]
    answers: tuple[int, ...]

    def prompt(self, answer: int) -> Prompt:
        """The conversation up to one of its answers, which is the only candidate.

        Args:
            answer: one of `answers`.
        """
        return Prompt(self.turns[:answer], (str(self.turns[answer].parts[0]),))


def read_conversation(row: object, number: int) -> Conversation:
    """Read a row.

    As in LLaVA's training, answers in front of the first turn of the user are skipped, and so are questions without
    an answer at the end. White space around an image is left to the chat template of a model.

    Args:
        row: the row as JSON has it; an image is a path, or `STORED`.
        number: its number, by which references name its stored images.

    Raises:
        RowError: it is not a conversation.
    """
    if not isinstance(row, Mapping):
        raise RowError(f"is {_kind(row)}; expected an object with conversations or messages")
    messages = _value(row, MESSAGES)
    if not isinstance(messages, Sequence) or isinstance(messages, str) or not messages:
        raise RowError("has no conversations or messages; expected a list of turns")
    images = _Images(row, number)
    turns: list[Turn] = []
    for place, message in enumerate(messages, start=1):
        turn = _turn(message, place, images)
        if turn.role == "system" and place > 1:
            raise RowError(f"turn {place} is of the system; expected it in front of all others")
        if turn.role == "assistant" and (not turns or turns[-1].role == "system"):
            continue
        if turns and turns[-1].role == turn.role:
            raise RowError(f"turn {place} is of the {turn.role} again; expected user and assistant in alternation")
        turns.append(turn)
    images.check()
    answers = tuple(k for k, turn in enumerate(turns) if turn.role == "assistant" and str(turn.parts[0]).strip())
    if not answers:
        raise RowError("has no answer; expected a turn of gpt or assistant with text, after one of human or user")
    return Conversation(tuple(turns[: answers[-1] + 1]), answers)


class _Images:
    """The images of a row, in the order in which its placeholders refer to them."""

    def __init__(self, row: Mapping[str, Any], number: int) -> None:
        given = _value(row, IMAGES)
        listed = [] if given is None else given if isinstance(given, list | tuple) else [given]
        self._refs = [self._ref(image, number, k) for k, image in enumerate(listed, start=1)]
        self._placeholders, self._by_index = 0, False

    def following(self) -> ImageRef:
        """The image of the next placeholder."""
        self._placeholders += 1
        # One too many is reported when all have been counted.
        return self._refs[self._placeholders - 1] if self._placeholders <= len(self._refs) else ImageRef("", "", 0)

    def at(self, index: object) -> ImageRef:
        """The image that a part names by its index."""
        if not isinstance(index, int) or not 0 <= index < len(self._refs):
            raise RowError(f"refers to image {index!r} of {len(self._refs)}; expected an index from 0")
        self._by_index = True
        return self._refs[index]

    def check(self) -> None:
        """Check that every image has a placeholder and every placeholder an image."""
        if self._placeholders != len(self._refs) and not (self._by_index and not self._placeholders):
            count = len(self._refs)
            images = f"{count} image{'' if count == 1 else 's'}"
            raise RowError(f"has {images}, but {self._placeholders} of {_PLACEHOLDER}; expected one for each image")

    @staticmethod
    def _ref(image: object, number: int, k: int) -> ImageRef:
        return ImageRef(TASK_IMAGES, str(number), k) if image is STORED else _file(image, f"image {k}")


def _file(image: object, what: str) -> ImageRef:
    path = image.get("path") if isinstance(image, Mapping) else image
    if not isinstance(path, str) or not path:
        raise RowError(f"{what} is {_kind(image)}; expected the path of a file")
    return ImageRef(TASK_IMAGES, path, 0)


def _turn(message: object, place: int, images: _Images) -> Turn:
    if not isinstance(message, Mapping):
        raise RowError(f"turn {place} is {_kind(message)}; expected an object with from and value, or role and content")
    name = _value(message, ("role", "from"))
    if not isinstance(name, str) or name not in _ROLES:
        raise RowError(f"turn {place} has the unknown role {shorten(repr(name))}; expected one of {', '.join(_ROLES)}")
    role, content = _ROLES[name], _value(message, ("content", "value"))
    if isinstance(content, str) and _PLACEHOLDER not in content:
        return Turn(role, (_encodable(content),))
    parts = list(_parts(content, place, images))
    if any(isinstance(part, ImageRef) for part in parts):
        if role != "user":
            raise RowError(f"turn {place} of the {role} has {_PLACEHOLDER}; expected images in turns of the user only")
        return Turn(role, tuple(part for part in map(_stripped, parts) if part))
    return Turn(role, ("".join(map(str, parts)),))


def _parts(content: object, place: int, images: _Images) -> Iterator[str | ImageRef]:
    if isinstance(content, str):
        yield from _split(content, images)
        return
    if not isinstance(content, list):
        raise RowError(f"the content of turn {place} is {_kind(content)}; expected text or a list of parts")
    for part in content:
        match part:
            case {"type": "text", "text": str(text)}:
                yield from _split(text, images)
            case {"type": "image"}:
                yield _image(part, place, images)
            case _:
                kind = part.get("type") if isinstance(part, Mapping) else part
                reason = f"turn {place} has a part of type {shorten(repr(kind))}; expected text, with text, or image"
                raise RowError(reason)


def _image(part: Mapping[str, Any], place: int, images: _Images) -> ImageRef:
    """The image of a part: its own, the one of its index, or the next of the row."""
    address = _value(part, ("image", "path", "url"))
    if address is not None:
        return _file(address, f"the image of turn {place}")
    index = part.get("index")
    return images.following() if index is None else images.at(index)


def _split(text: str, images: _Images) -> Iterator[str | ImageRef]:
    for k, piece in enumerate(_encodable(text).split(_PLACEHOLDER)):
        if k:
            yield images.following()
        if piece:
            yield piece


def _stripped(part: str | ImageRef) -> str | ImageRef:
    return part.strip() if isinstance(part, str) else part


def _encodable(text: str) -> str:
    """The text without halves of surrogate pairs, which JSON can express and tokenizers refuse."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _value(row: Mapping[str, Any], names: Sequence[str]) -> Any:
    """The first value that is there; tables have all columns, with empty ones."""
    for name in names:
        value = row.get(name)
        if value is not None:
            return value
    return None


def _kind(value: object) -> str:
    match value:
        case None:
            return "missing"
        case str():
            return "text"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case list() | tuple():
            return "a list"
        case _:
            return "an object"
