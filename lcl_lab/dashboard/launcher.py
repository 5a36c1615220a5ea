"""Starts the dashboard in a Streamlit server."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lcl_lab.dashboard.dashboard_config import DashboardConfig
from lcl_lab.errors import UserError

__all__ = ["serve", "streamlit_command"]

_SCRIPT = Path(__file__).parent / "app.py"  # its theme is in the folder .streamlit next to it


def serve(config: DashboardConfig | None = None, **options: Any) -> None:
    """Serve the dashboard until it is interrupted.

    Args:
        config: its options; None builds them from `options`.
        **options: fields of `DashboardConfig`.

    Raises:
        UserError: an option is wrong, or the server ends with an error, such as a port that is in use.
    """
    config = config or DashboardConfig.create(**options)
    server = subprocess.Popen(streamlit_command(config))
    with _stopped_with_this_process(server):
        try:
            status = server.wait()
        except KeyboardInterrupt:
            server.terminate()
            server.wait()
            return
    if status > 0:
        raise UserError(f"the Streamlit server ended with exit code {status}; its message is above")


def streamlit_command(config: DashboardConfig) -> list[str]:
    """The command that runs the dashboard's script in a Streamlit server.

    Results and datasets are passed as absolute paths where they are paths, so the server may run in any folder.
    """
    command = [sys.executable, "-m", "lcl_lab.dashboard.preloading_server", "run", str(_SCRIPT)]
    command += ["--server.address", config.address, "--server.headless", str(config.headless).lower()]
    if config.port is not None:
        command += ["--server.port", str(config.port)]
    command += ["--", "--results", str(config.results.absolute())]
    return [*command, "--data", *config.data] if config.data else command


@contextmanager
def _stopped_with_this_process(server: subprocess.Popen[bytes]) -> Iterator[None]:
    """Pass SIGTERM on to the server, which would otherwise outlive this process."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread can handle signals
        return
    previous = signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
