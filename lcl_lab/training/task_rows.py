"""What files of instruction data have in common: rows by number, and where in the file they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

__all__ = ["Check", "TaskRows"]

Check = Callable[[object, int, str], None]
"""Receives each row of a file once while it is indexed, with its number from 0 and its place, such as "row 1"."""


class TaskRows(Protocol):
    """The rows of a file. None of them is in memory."""

    def __len__(self) -> int:
        """The number of rows."""

    def row(self, number: int) -> object:
        """A row as JSON has it; an image that is stored with it is `STORED`.

        Raises:
            RowError: the row cannot be read any more.
        """

    def place(self, number: int) -> str:
        """Where a row is in the file, counted from 1, such as "line 3"."""

    def stored_image(self, number: int, image: int) -> bytes | str:
        """The content, or else the path, of an image that is stored with a row.

        Args:
            number: the row.
            image: the number of the image in its row, from 1.
        """
