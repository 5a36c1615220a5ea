"""The dashboard's Streamlit script; `lcl_lab.dashboard.serve` and `dashboards/app.py` run it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Literal

import streamlit as st

from lcl_lab.control_characters import escape_controls
from lcl_lab.dashboard.accessibility import repair_page
from lcl_lab.dashboard.dashboard_config import DashboardConfig
from lcl_lab.dashboard.pages import Page, find_pages
from lcl_lab.dashboard.run_index import read_index
from lcl_lab.errors import UserError

__all__ = ["errors_on_page", "show_app"]

_ICON = Path(__file__).parent / "icon.svg"  # 🔗; an icon that is a text makes Streamlit read the list of all emojis


def show_app(config: DashboardConfig) -> None:
    """Draw the menu and the page that the address selects."""
    st.set_page_config(page_title="LCL Lab", page_icon=_ICON, layout="wide")
    pages = find_pages()
    sections = {section: [_entry(page, config) for page in of_section] for section, of_section in pages.items()}
    sections[""] += [_entry(page, config, hidden=True) for page in pages[""] if page.default]
    with errors_on_page():
        st.navigation(sections, expanded=True).run()


@contextmanager
def errors_on_page() -> Iterator[None]:
    """Show a mistake of the user as a line on the page."""
    try:
        yield
    except UserError as error:
        st.error(error.for_command_line() if error.option else str(error))


def _entry(page: Page, config: DashboardConfig, hidden: bool = False) -> st.Page:
    """A page of the menu. Streamlit shows the first one at the root only; hidden, it has its own address as well."""
    is_first = page.default and not hidden
    visibility: Literal["visible", "hidden"] = "hidden" if hidden else "visible"
    return st.Page(
        partial(_show, page, config),
        title=page.title,
        url_path="" if is_first else page.path,
        default=is_first,
        visibility=visibility,
    )


def _show(page: Page, config: DashboardConfig) -> None:
    st.title(page.title)
    index = read_index(config)
    folder = escape_controls(index.folder.name)
    st.sidebar.caption("Results that ship with LCL Lab" if index.shipped else f"Results in `{folder}`")
    repair_page()
    page.show(index)


if __name__ == "__main__":
    from lcl_lab.commands import Program

    with errors_on_page():
        Program("lcl dashboard", DashboardConfig, show_app, __doc__ or "")(sys.argv[1:])
