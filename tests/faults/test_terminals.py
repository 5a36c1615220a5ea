"""Commands in terminals that lack characters, width, input or output, and into files and pipes that end."""

from __future__ import annotations

import io
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from itertools import product
from pathlib import Path

import pytest
from PIL import Image

import lcl_lab as lcl
from lcl_lab.errors import UserError
from lcl_lab.safe_console import SafeConsole
from tests.sweeps.grids import environment

pytestmark = [pytest.mark.attack, pytest.mark.timeout(120)]

PROGRAM = f"{shlex.quote(sys.executable)} -c 'from lcl_lab.commands import main; main()'"
SHIPPED = Path(__file__).parents[2] / "dashboards" / "shipped"
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
# Redirections, and variables of the environment.
TERMINALS: dict[str, tuple[str, Mapping[str, str]]] = {
    "ASCII": ("", ASCII),
    "C locale": ("", {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
    "Latin-1": ("", {"PYTHONIOENCODING": "latin-1"}),
    "UTF-16": ("", {"PYTHONIOENCODING": "utf-16"}),
    "width 1": ("", {"COLUMNS": "1"}),
    "width 0": ("", {"COLUMNS": "0"}),
    "width -5": ("", {"COLUMNS": "-5"}),
    "width of a text": ("", {"COLUMNS": "wide", "LINES": "high"}),
    "dumb": ("", {"TERM": "dumb"}),
    "no type": ("", {"TERM": ""}),
    "unknown type with colours": ("", {"TERM": "nothing", "FORCE_COLOR": "1"}),
    "no input": ("<&-", {}),
    "empty input": ("</dev/null", {}),
    "closed error": ("2>&-", {}),
    "full error": ("2>/dev/full", {}),
    "closed input and error": ("<&- 2>&-", {}),
    "everything closed": ("<&- >&- 2>&-", {}),
    "closed output": (">&-", {}),
    "no home": ("", {"HOME": "/nowhere", "XDG_CACHE_HOME": "/nowhere/cache"}),
}
LIGHT = ["--help"]
HEAVY = [
    "study --help",
    "study shots --help",
    "power --difference 0.1",
    f"report {SHIPPED}/qualitative/*",
    "study qualitative --preset tiny --model mini/prototype --data folder:images --results results",
]
MISTAKE = "study nothing"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a dataset whose names have accents and other alphabets."""
    folder = tmp_path_factory.mktemp("terminals")
    for shade, name in enumerate(("café", "naïve", "кот", "猫")):
        (folder / "images" / name).mkdir(parents=True)
        for number in range(6):
            Image.new("RGB", (8, 8), (60 * shade, 40 * number, 0)).save(folder / "images" / name / f"{number}.png")
    return folder


def shell(command: str, folder: Path, variables: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[bytes]:
    own = environment(LCL_LAB_CACHE=str(folder / "cache"), **(variables or {}))
    return subprocess.run(["bash", "-c", command], cwd=folder, env=own, capture_output=True, timeout=110)


def check(done: subprocess.CompletedProcess[bytes], status: int = 0) -> None:
    assert done.returncode == status, done.stderr.decode(errors="replace")
    for word in (b"Traceback", b"Exception ignored", b"Error:"):
        assert word not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("terminal", "command"),
    [
        *product(TERMINALS, LIGHT),
        *(
            pytest.param(terminal, command, marks=pytest.mark.slow)
            for (t, terminal), (c, command) in product(enumerate(TERMINALS), enumerate(HEAVY))
            if (t + c) % len(HEAVY)
            == 0  # every terminal with one of the commands, and every command with some terminals
        ),
    ],
)
def test_a_command_works_in_any_terminal(terminal: str, command: str, folder: Path) -> None:
    redirections, variables = TERMINALS[terminal]
    done = shell(f"{PROGRAM} {command} {redirections}", folder, variables)
    if variables.get("LC_ALL") and "folder:" in command:
        check(done, 2)
        assert b"is not text in the encoding of this locale; LC_ALL=C.UTF-8 reads UTF-8; rename it" in done.stderr
        return
    check(done)
    if variables is ASCII:
        assert done.stdout.isascii()
    assert bool(done.stdout) == ("closed output" not in terminal and "everything" not in terminal)


@pytest.mark.parametrize("terminal", ["ASCII", "Latin-1", "UTF-16", "width 1", "no input", "closed output"])
def test_a_mistake_is_one_line_in_any_terminal(terminal: str, folder: Path) -> None:
    redirections, variables = TERMINALS[terminal]
    done = shell(f"{PROGRAM} {MISTAKE} {redirections}", folder, variables)
    check(done, 2)
    encoding = variables.get("PYTHONIOENCODING", "utf-8")
    assert done.stderr.decode(encoding).startswith("error: lcl study: unknown command 'nothing'; ")
    assert done.stderr.decode(encoding).count("\n") == 1


@pytest.mark.parametrize("command", [*LIGHT, *(pytest.param(command, marks=pytest.mark.slow) for command in HEAVY)])
def test_a_full_device_is_one_line(command: str, folder: Path) -> None:
    done = shell(f"{PROGRAM} {command} >/dev/full", folder)
    check(done, 2)
    lines = [line for line in done.stderr.decode().splitlines() if line.startswith("error: ")]
    assert lines == ["error: cannot write the output: No space left on device"]


@pytest.mark.parametrize("command", [*LIGHT, *(pytest.param(command, marks=pytest.mark.slow) for command in HEAVY)])
def test_a_reader_that_goes_away_ends_the_command_quietly(command: str, folder: Path) -> None:
    done = shell(f"{PROGRAM} {command} | true; exit ${{PIPESTATUS[0]}}", folder)
    check(done, 141)
    assert b"error" not in done.stderr


@pytest.mark.slow
def test_results_are_stored_although_they_cannot_be_printed(folder: Path, tmp_path: Path) -> None:
    command = f"{PROGRAM} study qualitative --preset tiny --model mini/prototype --results {tmp_path}"
    check(shell(f"{command} >/dev/full", folder), 2)
    done = shell(command, folder)
    check(done)
    assert b"already finished" in done.stdout


def test_the_console_writes_what_its_encoding_lacks_as_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    SafeConsole().print("café 猫 \ud800", highlight=False)
    assert written.getvalue().rstrip() == rb"caf\xe9 \u732b"


def test_the_console_reports_a_full_device_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        monkeypatch.setattr(sys, "stderr", full)
        SafeConsole(stderr=True).print("a progress bar is dropped")
        with pytest.raises(UserError, match=r"^cannot write the output: No space left on device$"):
            SafeConsole().print("results")
        os.dup2(os.open(os.devnull, os.O_WRONLY), full.fileno())


@pytest.mark.slow
def test_a_study_in_python_prints_to_any_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    lcl.run_study("qualitative", preset="tiny", model="mini/prototype", results=tmp_path, verbose=True)
    assert written.getvalue().isascii()
