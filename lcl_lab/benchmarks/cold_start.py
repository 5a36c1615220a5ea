"""How long a user waits between the command that starts the dashboard and the first charts."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from urllib.request import urlopen

__all__ = ["seconds_to_first_page", "seconds_to_server"]

_COMMAND = "from lcl_lab.commands import main; main()"
_FIRST_PAGE = """
import logging, sys, time
import streamlit.web.cli
from streamlit.testing.v1 import AppTest
from lcl_lab import dashboard
logging.disable(logging.WARNING)
sys.argv[1:] = ["--results", sys.argv[1]]
started = time.perf_counter()
app = AppTest.from_file(dashboard.__path__[0] + "/app.py", default_timeout=300).run()
seconds = time.perf_counter() - started
assert app.get("vega_lite_chart") and not app.exception, app
print(seconds)
"""
"""A page in a process that has imported what the server of Streamlit has, and nothing else."""
_PATIENCE = 60.0  # seconds


def seconds_to_server(results: Path) -> float:
    """Seconds until ``lcl dashboard`` answers requests.

    Raises:
        RuntimeError: it ends before that, or takes more than a minute.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--results", str(results), "--port", str(port), "--headless"]
    started = time.perf_counter()
    server = subprocess.Popen(
        [sys.executable, "-c", _COMMAND, "dashboard", *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while server.poll() is None and time.perf_counter() < started + _PATIENCE:
            with suppress(OSError), urlopen(f"http://127.0.0.1:{port}/_stcore/health"):
                return time.perf_counter() - started
            time.sleep(0.02)
    finally:
        server.terminate()
        server.wait()
    raise RuntimeError("the dashboard did not start")


def seconds_to_first_page(results: Path) -> float:
    """Seconds that the script of the first page, with its charts, takes in a server that has just started.

    Raises:
        RuntimeError: the page fails.
    """
    process = subprocess.run(
        [sys.executable, "-c", _FIRST_PAGE, str(results)], capture_output=True, text=True, check=False
    )
    if process.returncode:
        raise RuntimeError(process.stderr)
    return float(process.stdout)
