"""A real model's own instruction data as its original tasks."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lcl_lab.atomic import reporting_os_errors
from lcl_lab.concepts import ImageRef
from lcl_lab.concepts.file_digests import digest_files
from lcl_lab.concepts.image_reader import UnreadableImageError, decode_bytes, read_image
from lcl_lab.errors import UserError
from lcl_lab.prompts import Prompt
from lcl_lab.training.arrow_rows import PARQUET_MAGIC, arrow_files, index_arrow
from lcl_lab.training.instruction_rows import Conversation, RowError, read_conversation
from lcl_lab.training.json_rows import index_json
from lcl_lab.training.task_rows import TaskRows

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["InstructionTasks", "Kinds", "TokenLimit", "held_out_rows", "open_tasks"]

_log = logging.getLogger(__name__)
_CHECKED = 100  # rows whose image files must exist before training starts
_MOST_HELD_OUT = 500
_MOST_DRAWS = 1000  # of conversations that are too long, one after another


@dataclass(frozen=True)
class Kinds:
    """Kinds of conversations that not every chat template writes.

    Attributes:
        system: some have a system message.
        turns: some have several answers.
        image_turns: some of these have an image in every question, as an episode has.
    """

    system: bool = False
    turns: bool = False
    image_turns: bool = False

    def add(self, conversation: Conversation) -> Kinds:
        """The kinds with that of one more conversation."""
        turns = len(conversation.answers) > 1
        return Kinds(
            self.system or conversation.turns[0].role == "system",
            self.turns or turns,
            self.image_turns or (turns and _has_image_in_every_question(conversation)),
        )


@dataclass(frozen=True)
class TokenLimit:
    """How long conversations may be.

    Attributes:
        most: tokens of a prompt with its answer, at most.
        count: counts them.
    """

    most: int
    count: Callable[[Prompt], int]


class InstructionTasks:
    """`OriginalTasks` from a file of conversations. One in a hundred rows is held out and never drawn.

    Args:
        path: the file or folder, for error messages.
        rows: its rows, of which none is in memory.
        folder: where paths of images start.
        kinds: the kinds of conversations.
        limit: leaves out longer conversations; None leaves out none.

    Attributes:
        path: as given.
        kinds: as given.
    """

    def __init__(self, path: Path, rows: TaskRows, folder: Path, kinds: Kinds, limit: TokenLimit | None = None) -> None:
        self.path, self.kinds = path, kinds
        self._rows, self._folder, self._limit, self._warned = rows, folder, limit, False
        self._held_out = held_out_rows(len(rows))
        # A trained row has as many held-out rows in front of it as there are values of at most its position here.
        self._shifts = np.sort(self._held_out) - np.arange(len(self._held_out))

    @property
    def fingerprint(self) -> str:
        """16 hex digits over the content of the files, without those of the images that they name."""
        digests = digest_files(_files(self.path))
        return blake2b("".join(digests).encode(), digest_size=8).hexdigest()

    def within(self, limit: TokenLimit) -> InstructionTasks:
        """The same tasks without conversations that are longer than a model accepts."""
        return InstructionTasks(self.path, self._rows, self._folder, self.kinds, limit)

    def draw(self, rng: np.random.Generator) -> Prompt:
        """Draw a conversation and the answer at which it ends; another one instead of one that is too long.

        Raises:
            UserError: an image of the conversation is missing, the file has changed, or nearly all conversations are
                too long.
        """
        for _ in range(_MOST_DRAWS):
            number, prompt = self._draw_any(rng)
            if self._fits(number, prompt):
                return prompt
        assert self._limit is not None
        reason = f"{_MOST_DRAWS:,} conversations that were drawn have more than {self._limit.most:,} tokens"
        raise UserError(f"{reason}; shorten them, or give a larger task_tokens", option="tasks", value=self.path)

    def _draw_any(self, rng: np.random.Generator) -> tuple[int, Prompt]:
        """A row that is trained on, and its conversation up to one of its answers."""
        trained = int(rng.integers(len(self._rows) - len(self._held_out)))
        number = trained + int(np.searchsorted(self._shifts, trained, side="right"))
        conversation = self._conversation(number)
        return number, self._with_images(number, conversation.prompt(int(rng.choice(conversation.answers))))

    def name_many(self, rng: np.random.Generator, shots: int) -> Prompt:
        """No known objects are named.

        Raises:
            UserError: always.
        """
        reason = "has no objects with usual names, which the strategy draws (name_many); choose another"
        raise UserError(reason, option="tasks", value=self.path)

    def held_out(self, count: int) -> list[Prompt]:
        """Held-out conversations up to their last answers, the same in every training with the same limit.

        Args:
            count: how many, if there are as many.

        Raises:
            UserError: an image is missing, or the file has changed.
        """
        numbers = map(int, self._held_out)
        fitting = (prompt for number in numbers if self._fits(number, prompt := self._up_to_last_answer(number)))
        return list(islice(fitting, count))

    def image(self, ref: ImageRef) -> Image:
        """An image of a prompt in RGB.

        Raises:
            UserError: it cannot be read.
        """
        if ref.number == 0:
            return read_image(self._folder / ref.concept, "tasks", self.path)
        number = int(ref.concept)
        stored = self._rows.stored_image(number, ref.number)
        if isinstance(stored, str):
            return read_image(self._folder / stored, "tasks", self.path)
        try:
            return decode_bytes(stored)
        except UnreadableImageError as error:
            reason = f"{self._rows.place(number)}: image {ref.number} cannot be read: {error}"
            raise UserError(reason, option="tasks", value=self.path) from error

    def check_images(self) -> None:
        """Check that the image files of the first rows exist.

        Raises:
            UserError: one does not.
        """
        for number in range(min(_CHECKED, len(self._rows))):
            self._up_to_last_answer(number)

    def _up_to_last_answer(self, number: int) -> Prompt:
        conversation = self._conversation(number)
        return self._with_images(number, conversation.prompt(conversation.answers[-1]))

    def _fits(self, number: int, prompt: Prompt) -> bool:
        """Whether a conversation is short enough; a warning names the first one that is not."""
        if self._limit is None or (tokens := self._limit.count(prompt)) <= self._limit.most:
            return True
        if not self._warned:
            self._warned = True
            template = "%s: %s: a conversation of %d tokens is left out, as all are that have more than %d"
            _log.warning(template, self.path, self._rows.place(number), tokens, self._limit.most)
        return False

    def _conversation(self, number: int) -> Conversation:
        try:
            return read_conversation(self._rows.row(number), number)
        except RowError as error:
            raise UserError(f"{self._rows.place(number)}: {error}", option="tasks", value=self.path) from error

    def _with_images(self, number: int, prompt: Prompt) -> Prompt:
        for ref in prompt.images:
            if ref.number == 0 and not os.path.isfile(self._folder / ref.concept):
                place = self._rows.place(number)
                reason = f"{place}: no image {self._folder / ref.concept}; expected a path within {self._folder}"
                raise UserError(f"{reason}, or give task_images", option="tasks", value=self.path)
        return prompt


def open_tasks(path: Path, images: Path | None = None) -> InstructionTasks:
    """Index a file of instruction data and check the structure of every row.

    Args:
        path: LLaVA's JSON list, JSON lines of messages or conversations, Parquet, or a folder that `datasets` has
            saved.
        images: the folder of its images; None for that of the file.

    Raises:
        UserError: the file cannot be read, a row is no conversation, or an image of the first rows is missing.
    """
    if images is not None and not os.path.isdir(images):
        raise UserError("no such folder", option="task_images", value=images)
    if not (os.path.isfile(path) or os.path.isdir(path)):
        raise UserError("no such file or folder", option="tasks", value=path)
    with reporting_os_errors("read", path):
        states = tuple((file.stat().st_size, file.stat().st_mtime_ns) for file in _files(path))
        tasks = _index(path, images or (path if path.is_dir() else path.parent), states)
    tasks.check_images()
    return tasks


def held_out_rows(count: int) -> NDArray[np.int64]:
    """The positions of rows that are never trained on: 1 %, at least 1 and at most 500, by a hash of the position.

    Args:
        count: the number of rows.
    """
    keys = np.arange(count, dtype=np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    # The finalizer of SplitMix64, which maps different positions to different keys.
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        keys = (keys ^ (keys >> np.uint64(shift))) * np.uint64(factor)
    held_out = min(_MOST_HELD_OUT, max(1, count // 100))
    return np.argsort(keys)[:held_out].astype(np.int64)


@lru_cache(maxsize=4)  # a sweep checks the same file for each of its trainings
def _index(path: Path, folder: Path, states: Sequence[tuple[int, int]]) -> InstructionTasks:
    check = _RowCheck()
    rows: TaskRows = index_arrow(path, check) if _is_table(path) else index_json(path, check)
    check.report(path)
    if len(rows) < 2:
        count = "1 row" if len(rows) else "no rows"
        raise UserError(f"has {count}; expected at least 2, of which one is held out", option="tasks", value=path)
    return InstructionTasks(path, rows, folder, check.kinds)


class _RowCheck:
    """Checks rows while they are indexed, and keeps what is wrong with the first bad one."""

    def __init__(self) -> None:
        self.kinds = Kinds()
        self._first, self._bad = "", 0

    def __call__(self, row: object, number: int, place: str) -> None:
        try:
            if isinstance(row, RowError):
                raise row
            conversation = read_conversation(row, number)
        except RowError as error:
            self._first = self._first or f"{place}: {error}"
            self._bad += 1
        else:
            self.kinds = self.kinds.add(conversation)

    def report(self, path: Path) -> None:
        """Raise a `UserError` if a row was bad."""
        if self._bad:
            more = f" ({self._bad} rows are wrong in all)" if self._bad > 1 else ""
            raise UserError(f"{self._first}{more}", option="tasks", value=path)


def _has_image_in_every_question(conversation: Conversation) -> bool:
    return all(
        any(isinstance(part, ImageRef) for part in turn.parts) for turn in conversation.turns if turn.role == "user"
    )


def _is_table(path: Path) -> bool:
    if path.is_dir():
        return True
    with path.open("rb") as file:
        return file.read(len(PARQUET_MAGIC)) == PARQUET_MAGIC


def _files(path: Path) -> list[Path]:
    return arrow_files(path) if path.is_dir() else [path]
