"""The pages of the dashboard: each module of this package whose name ends with `_page` provides one or more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from lcl_lab.dashboard.run_index import RunIndex

__all__ = ["SECTIONS", "Page", "find_pages"]

SECTIONS = ("", "Studies", "Answers", "Runs")
"""The sections of the menu in order; a page may name a further one."""


@dataclass(frozen=True)
class Page:
    """One page.

    Attributes:
        title: its heading, and its name in the menu.
        path: its address below that of the dashboard.
        show: draws the page below its title, from the runs in the results folder.
        section: its section of the menu.
        default: whether it is shown first.
    """

    title: str
    path: str
    show: Callable[[RunIndex], None]
    section: str = ""
    default: bool = False


def find_pages() -> dict[str, list[Page]]:
    """All pages by section: those that the function `pages` of every module named `*_page` returns."""
    names = sorted(module.name for module in iter_modules([str(Path(__file__).parent)]))
    modules = [import_module(f"lcl_lab.dashboard.{name}") for name in names if name.endswith("_page")]
    pages: list[Page] = [page for module in modules for page in module.pages()]
    sections = dict.fromkeys([*SECTIONS, *(page.section for page in pages)])
    grouped = {section: [page for page in pages if page.section == section] for section in sections}
    return {section: members for section, members in grouped.items() if members}
