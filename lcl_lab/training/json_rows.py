"""Rows of a JSON list or of JSON lines by their byte offsets, so that a file of any size takes 16 bytes per row."""

from __future__ import annotations

import json
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from lcl_lab.atomic import parse_json
from lcl_lab.errors import UserError
from lcl_lab.training.instruction_rows import RowError
from lcl_lab.training.task_rows import Check

__all__ = ["JsonRows", "index_json"]

_CHUNK = 1 << 20  # bytes that are read at a time
_LONGEST = 1 << 26  # bytes of a row; a longer one is a missing quotation mark
_TRUNCATED = 16  # characters before the end of what has been read in which an error may be due to what has not
_SPACE = " \t\n\r"
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class JsonRows:
    """The rows of a file, each read when it is needed.

    Attributes:
        path: the file.
        kind: whether the file is one list, whose elements are called rows, or has one row per line.
        starts: (N,), the first byte of each row.
        ends: (N,), the byte after each row.
        blanks: for each blank line in front of a row, the number of that row.
    """

    path: Path
    kind: Literal["row", "line"]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    blanks: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.starts)

    def row(self, number: int) -> object:
        """A row.

        Raises:
            RowError: the file has changed since.
        """
        try:
            with self.path.open("rb") as file:
                file.seek(int(self.starts[number]))
                return _parse(file.read(int(self.ends[number] - self.starts[number])))
        except (OSError, RowError) as error:
            raise RowError(f"cannot be read any more: {error}; expected the file not to change") from error

    def place(self, number: int) -> str:
        """Where a row is, such as "line 3"."""
        return f"{self.kind} {number + 1 + bisect_right(self.blanks, number)}"

    def stored_image(self, number: int, image: int) -> bytes | str:
        """No image is stored in JSON."""
        raise IndexError(f"{self.path} has no image {image} in row {number}")


def index_json(path: Path, check: Check) -> JsonRows:
    """Find the rows of a file, of which one chunk is in memory at a time.

    Args:
        path: the file: a JSON list, or one JSON value per line.
        check: receives each row.

    Raises:
        OSError: the file cannot be read.
        UserError: it is not JSON.
    """
    with path.open("rb") as file:
        bom = len(_BOM) if file.read(len(_BOM)) == _BOM else 0
        file.seek(bom)
        first = next((byte for byte in iter(lambda: file.read(1), b"") if byte not in b" \t\n\r"), b"")
        file.seek(bom)
        return _index_list(path, file, bom, check) if first == b"[" else _index_lines(path, file, bom, check)


def _index_lines(path: Path, file: BinaryIO, offset: int, check: Check) -> JsonRows:
    starts, ends = array("q"), array("q")
    blanks: list[int] = []
    while line := file.readline(_LONGEST):
        if line.strip():
            number = len(starts)
            starts.append(offset)
            ends.append(offset + len(line))
            place = f"line {number + len(blanks) + 1}"
            check(_as_row(line), number, place)
        else:
            blanks.append(len(starts))
        offset += len(line)
    return JsonRows(path, "line", _int64(starts), _int64(ends), tuple(blanks))


def _index_list(path: Path, file: BinaryIO, offset: int, check: Check) -> JsonRows:
    starts, ends = array("q"), array("q")
    window = _Window(file, offset)
    try:
        for start, end, row in window.elements():
            starts.append(start)
            ends.append(end)
            check(row, len(starts) - 1, f"row {len(starts)}")
    except _ListError as error:
        reason = f"row {len(starts) + 1}, byte {window.offset}: {error}"
        raise UserError(reason, option="tasks", value=path) from error
    return JsonRows(path, "row", _int64(starts), _int64(ends))


class _ListError(Exception):
    """A file is not one JSON list."""


class _Window:
    """The part of a file that is being parsed, as Latin-1.

    This has one character per byte, so that places in the text are byte offsets; the syntax of JSON is ASCII.
    """

    def __init__(self, file: BinaryIO, offset: int) -> None:
        self._file, self._start = file, offset
        self._text, self._at = "", 0
        self._decoder = json.JSONDecoder()

    @property
    def offset(self) -> int:
        """The byte of the file at which parsing is."""
        return self._start + self._at

    def elements(self) -> Iterator[tuple[int, int, object]]:
        """First byte, end and value of each element of the list; an element that is not UTF-8 is a `RowError`.

        Raises:
            _ListError: the file is not one list.
        """
        self._expect("[", "a list of rows")
        separator = "]" if self._peek() == "]" else ","
        while separator == ",":
            self._peek()
            begin = self.offset
            value = self._element()
            yield begin, self.offset, value
            separator = self._peek()
            if separator == ",":
                self._at += 1
        self._expect("]", "a comma or the end of the list")
        if self._peek():
            raise _ListError("has text after the list; expected its end")

    def _element(self) -> object:
        """Parse the value that starts here, reading on until it is complete."""
        size, complete = _CHUNK, False
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except (ValueError, RecursionError) as error:  # also of integers with thousands of digits
                if complete or not self._may_be_truncated(error):
                    raise _ListError(f"is not JSON: {_message(error)}") from error
            else:
                if end < len(self._text) or complete:
                    raw = self._text[self._at : end]
                    self._at = end
                    return value if raw.isascii() else _as_row(raw.encode("latin-1"))
            complete = not self._read(size)
            size *= 2  # so that a long row is parsed a few times only

    def _may_be_truncated(self, error: ValueError | RecursionError) -> bool:
        if not isinstance(error, json.JSONDecodeError) or len(self._text) - self._at > _LONGEST:
            return False
        return error.msg.startswith("Unterminated") or error.pos > len(self._text) - _TRUNCATED

    def _expect(self, character: str, description: str) -> None:
        following = self._peek()
        if following != character:
            reason = f"found {following!r}" if following else "the file is cut off"
            raise _ListError(f"{reason}; expected {description}")
        self._at += 1

    def _peek(self) -> str:
        """The next character that is no white space; empty at the end of the file."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in _SPACE:
                    return self._text[self._at]
                self._at += 1
            if not self._read(_CHUNK):
                return ""

    def _read(self, size: int) -> bool:
        """Read on, and drop what has been parsed; whether there was more."""
        data = self._file.read(size)
        self._text = self._text[self._at :] + data.decode("latin-1")
        self._start, self._at = self.offset, 0
        return bool(data)


def _as_row(raw: bytes) -> object:
    """The value of a row; a `RowError` if it has none."""
    try:
        return _parse(raw)
    except RowError as error:
        return error


def _parse(raw: bytes) -> object:
    try:
        return parse_json(raw.decode())
    except UnicodeDecodeError as error:
        raise RowError("is not UTF-8; expected JSON in UTF-8") from error
    except ValueError as error:
        raise RowError(f"is not JSON: {_message(error)}; expected one JSON value") from error


def _message(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return error.msg if isinstance(error, json.JSONDecodeError) else str(error)


def _int64(values: array[int]) -> NDArray[np.int64]:
    return np.frombuffer(values, np.int64) if len(values) else np.empty(0, np.int64)
