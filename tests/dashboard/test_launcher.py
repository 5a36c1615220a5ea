from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from lcl_lab import dashboard
from lcl_lab.dashboard import DashboardConfig, preloading_server, serve, streamlit_command
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


@pytest.mark.slow
def test_the_server_imports_what_the_first_page_needs_before_a_browser_asks_for_it() -> None:
    code = (
        "import sys; from lcl_lab.dashboard import preloading_server; preloading_server._import_pages(); "
        "before = set(sys.modules); "
        "from streamlit.testing.v1 import AppTest; "
        "app = AppTest.from_file(sys.argv.pop(1), default_timeout=100).run(); "
        "assert app.get('vega_lite_chart'), app; print(*(set(sys.modules) - before))"
    )
    script = Path(dashboard.__file__).parent / "app.py"
    words = [sys.executable, "-c", code, str(script)]
    process = subprocess.run(words, capture_output=True, text=True, check=True, timeout=300)
    assert {"pandas", "altair", "duckdb", "cyclopts", "scipy"}.isdisjoint(process.stdout.split())


def test_a_page_that_cannot_be_imported_is_left_to_the_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preloading_server, "_OF_FIRST_PAGE", ("dashboard.no_such_page",))
    preloading_server._import_pages()


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
