"""The console of all output to a terminal; what models and records contain cannot control the terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from lcl_lab.control_characters import remove_controls

__all__ = ["SafeConsole"]


class SafeConsole(Console):
    """A console of rich that removes control characters from all text. Styles and progress bars work as usual."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render something; see `rich.console.Console.render`."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(remove_controls(segment.text), segment.style)
