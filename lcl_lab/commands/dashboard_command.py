"""The command that shows results in a browser."""

from __future__ import annotations

from collections.abc import Sequence

from lcl_lab import dashboard
from lcl_lab.commands.program import Program
from lcl_lab.dashboard.dashboard_config import DashboardConfig
from lcl_lab.errors import UserError
from lcl_lab.safe_console import SafeConsole

__all__ = ["dashboard_program"]

_DOC = """Show results in a browser.

Opens the newest results of a folder, and the shipped ones while it is empty. Everything that a page shows is in its
address, so a link shows the same to others.

With --export, a folder gets the same findings as a web site: overview, studies, comparisons, and some episodes with
images. It opens from the disk without a server and fetches nothing, and any web host can serve it. An earlier export is
replaced once the new one is complete; files that are there for another reason stay.
"""


def dashboard_program(name: str = "lcl dashboard") -> Program[DashboardConfig]:
    """The command that serves the dashboard until it is interrupted, or writes a site and prints its first page."""
    return Program(name, DashboardConfig, _run, _DOC)


def _run(config: DashboardConfig) -> None:
    if config.export is None:
        _refuse(config, ("episodes",), "is about an exported site; give export, too")
        dashboard.serve(config)
        return
    _refuse(config, ("port", "address", "headless"), "is about a server, which an export does not start; leave it out")
    with dashboard.quiet_streamlit():  # which also warns when modules are imported
        path = dashboard.export_site(config, config.export)
    SafeConsole().print(str(path), soft_wrap=True, highlight=False, markup=False)


def _refuse(config: DashboardConfig, options: Sequence[str], reason: str) -> None:
    """Raise a `UserError` about the first of some options that was given."""
    for option in options:
        if option in config.model_fields_set:
            raise UserError(reason, option=option, value=getattr(config, option))
