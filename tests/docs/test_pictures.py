"""Figures and pictures of the documentation can be made again by the commands that it names."""

from __future__ import annotations

import io
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from tests.docs.pages import COMMANDS, ROOT

pytestmark = pytest.mark.slow
FIGURES = ROOT / "docs" / "figures"


@contextmanager
def made_again(script: str, files: Sequence[Path]) -> Iterator[list[bytes]]:
    """The content of some files before the documented command makes them again; they are put back in the end."""
    before = [file.read_bytes() for file in files]
    (command,) = (command for command in COMMANDS if script in command)
    try:
        subprocess.run([sys.executable, *shlex.split(command)[3:]], cwd=ROOT, check=True)
        yield before
    finally:
        for file, content in zip(files, before, strict=True):
            file.write_bytes(content)


def texts(svg: str) -> list[str]:
    return re.findall(r">([^<>]+)</text>", svg)


def test_the_figures_of_the_study_pages_are_current() -> None:
    """Text in an SVG does not depend on the machine, unlike the digits of coordinates."""
    figures = sorted(FIGURES.glob("*.svg"))
    with made_again("docs/make_figures.py", [*figures, FIGURES / "qualitative.png"]) as before:
        for figure, content in zip(figures, before, strict=False):
            assert texts(figure.read_text()) == texts(content.decode()), figure.name


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium: tests/install_browser.sh installs it")
def test_the_pictures_of_the_dashboard_can_be_taken_again() -> None:
    pictures = [FIGURES / f"{name}.png" for name in ("dashboard", "episode", "compare")]
    with made_again("docs/make_pictures.py", pictures) as before:
        for picture, content in zip(pictures, before, strict=True):
            with Image.open(picture) as taken, Image.open(io.BytesIO(content)) as stored:
                assert taken.size == stored.size
                assert len(taken.getcolors() or []) > 20, "nothing is shown"
