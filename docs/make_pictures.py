"""Takes the pictures of the dashboard in the documentation: `python docs/make_pictures.py`, which needs Chromium."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from lcl_lab.dashboard import DashboardConfig, streamlit_command
from lcl_lab.dashboard.run_index import read_index, shipped_results
from lcl_lab.dashboard.streamlit_logging import quiet_streamlit

FOLDER = Path(__file__).parent / "figures"
WIDTH, HEIGHT = 1280, 900
PATIENCE = 120  # seconds until the dashboard answers
COLOURS = 128


@quiet_streamlit()
def main() -> None:
    """Save the first page, an episode and a comparison of the results that come with LCL Lab."""
    with dashboard() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        for name, (path, parameters) in views().items():
            page.goto(f"{address}/{path}?{urlencode(parameters, doseq=True)}")
            save(page, FOLDER / f"{name}.png")
        browser.close()


def views() -> Mapping[str, tuple[str, Mapping[str, object]]]:
    """Each picture's page and the parameters of its address."""
    run = read_index(DashboardConfig(results=shipped_results())).groups_of("false_ratio")[0].sources[0].run.run
    others = ["mini/mix", "mini/base", "mini/prototype"]
    episode = {"run": run, "model": "mini/2-way", "beside": others, "false_ratio": "0.5", "query": 3}
    return {
        "dashboard": ("", {}),
        "episode": ("episodes", episode),
        "compare": ("compare", {"study": "false_ratio"}),
    }


@contextmanager
def dashboard() -> Iterator[str]:
    """The address of a server that shows the results that come with LCL Lab."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = streamlit_command(DashboardConfig(results=shipped_results(), port=port, headless=True))
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait_until_healthy(f"http://127.0.0.1:{port}/_stcore/health")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def wait_until_healthy(address: str) -> None:
    """Return as soon as a server answers."""
    for _ in range(PATIENCE):
        try:
            with urlopen(address):
                return
        except URLError:
            time.sleep(1)
    sys.exit(f"{address} does not answer")


def save(page: Page, file: Path) -> None:
    """Save what a page shows once it is complete, with few colours."""
    page.wait_for_selector("h1")
    page.wait_for_selector('[data-testid="stStatusWidget"]', state="detached")
    page.wait_for_timeout(3000)  # charts fade in
    picture = Image.open(BytesIO(page.screenshot()))
    picture.convert("RGB").quantize(COLOURS).save(file, optimize=True)


if __name__ == "__main__":
    main()
