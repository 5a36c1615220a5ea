"""The command that shows results in a browser."""

from __future__ import annotations

from lcl_lab import dashboard
from lcl_lab.commands.program import Program
from lcl_lab.dashboard.dashboard_config import DashboardConfig

__all__ = ["dashboard_program"]

_DOC = """Show results in a browser.

Opens the newest results of a folder, and the shipped ones while it is empty. Everything that a page shows is in its
address, so a link shows the same to others.
"""


def dashboard_program(name: str = "lcl dashboard") -> Program[DashboardConfig]:
    """The command that serves the dashboard until it is interrupted."""
    return Program(name, DashboardConfig, dashboard.serve, _DOC)
