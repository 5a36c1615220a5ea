"""Streamlit's command, which imports what pages need while it waits for the browser.

Pages take longer to import than to draw, and a browser needs a second until it asks for the first one.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from threading import Thread

from streamlit.web.cli import main as run_streamlit

__all__ = ["run_and_preload"]

_OF_FIRST_PAGE = ("commands.program", "dashboard.app", "dashboard.model_overview", "figures.overview_plot")


def run_and_preload() -> None:
    """Run Streamlit with the arguments of the process, and exit when it ends."""
    Thread(target=_import_pages, name="preload", daemon=True).start()
    run_streamlit(prog_name="streamlit")


def _import_pages() -> None:
    """Import what the script and its first page use."""
    with suppress(Exception):  # the script meets the same error, and shows it on its page
        for name in _OF_FIRST_PAGE:
            import_module(f"lcl_lab.{name}")
        import_module("lcl_lab.dashboard.pages").find_pages()


if __name__ == "__main__":
    run_and_preload()
