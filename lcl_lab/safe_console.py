"""The console of all output to a terminal; what models and records contain cannot control the terminal."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import IO, Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from lcl_lab.control_characters import remove_controls
from lcl_lab.errors import UserError

__all__ = ["SafeConsole"]

_NARROWEST = 20  # characters of a line; terminals that are narrower wrap it


class SafeConsole(Console):
    """A console of rich that removes control characters from all text. Styles and progress bars work as usual.

    Words such as False and numbers have no colours of their own. With the environment variable NO_COLOR, output to a
    terminal has no escape sequence at all, as output to a file: a progress bar appears once, when it is done.
    Characters that the encoding of the output lacks are written as escapes. What cannot be written to standard error,
    such as a progress bar, is dropped; to standard output, it is a `UserError`.
    """

    def __init__(self, **options: Any) -> None:
        if os.environ.get("NO_COLOR"):
            options = {"color_system": None, "force_terminal": False, **options}
        super().__init__(**{"highlight": False, **options})
        if self.width < _NARROWEST:  # with width 0 rich prints nothing, and with 1 some tables never end
            self.width = _NARROWEST

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render something; see `rich.console.Console.render`."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(remove_controls(segment.text), segment.style)

    def on_broken_pipe(self) -> None:
        """Raise the `BrokenPipeError`, which rich would turn into an exit."""
        raise

    def _output(self) -> IO[str]:
        stream: Any = Console.file.fget(self)  # type: ignore[attr-defined]
        return _Output(stream, required=not self.stderr)  # type: ignore[return-value]

    file = property(_output, Console.file.fset)  # type: ignore[attr-defined]


class _Output:
    """A stream of text for which neither characters nor the disk are an unexpected failure.

    Args:
        stream: standard output or standard error.
        required: whether text that cannot be written is an error.
    """

    def __init__(self, stream: IO[str], required: bool) -> None:
        self._stream, self._required = stream, required

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text.

        Raises:
            BrokenPipeError: the reader went away.
            UserError: the text cannot be written.
        """
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        text = text.encode(encoding, "backslashreplace").decode(encoding)
        try:
            return self._stream.write(text)
        except OSError as error:
            self._report(error)
            return len(text)

    def flush(self) -> None:
        """Write what is buffered. Raises as `write` does."""
        try:
            self._stream.flush()
        except OSError as error:
            self._report(error)

    def _report(self, error: OSError) -> None:
        if not self._required:
            return
        if isinstance(error, BrokenPipeError):
            raise error
        raise UserError(f"cannot write the output: {error.strerror or error}") from error
