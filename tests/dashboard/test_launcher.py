from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from lcl_lab.dashboard import DashboardConfig, serve, streamlit_command
from lcl_lab.errors import UserError
from tests.servers import answers, free_port
from tests.sweeps.grids import wait_for


def is_healthy(port: int) -> bool:
    return answers(f"http://127.0.0.1:{port}/_stcore/health")


def test_the_command_has_absolute_paths_and_every_option() -> None:
    config = DashboardConfig(results=Path("r"), data=("folder:photos",), port=8600, headless=True)
    command = streamlit_command(config)
    assert command[-5:] == ["--", "--results", str(Path("r").absolute()), "--data", "folder:photos"]
    assert "--server.port 8600" in " ".join(command)
    assert "--server.headless true" in " ".join(command)


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_the_dashboard_is_served_from_any_folder_until_it_is_stopped(stop: signal.Signals, tmp_path: Path) -> None:
    port = free_port()
    words = [
        "-c",
        "from lcl_lab.commands import main; main()",
        "dashboard",
        "--port",
        str(port),
        "--headless",
        "--results",
        "results",
    ]
    process = subprocess.Popen([sys.executable, *words], cwd=tmp_path, stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: is_healthy(port), 60)
        process.send_signal(stop)
        process.wait(30)
        wait_for(lambda: not is_healthy(port), 30)
    finally:
        process.kill()


def test_a_server_that_cannot_start_is_an_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UserError, match="exit code"):
            serve(port=taken.getsockname()[1], headless=True)
