"""Every command and every example file of the README, run."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, flags=re.DOTALL)
COMMANDS = [line for kind, text in BLOCKS if kind == "sh" for line in text.strip().splitlines()]
FILES = {"colours.py": "class Colours", "parrot.py": "class Parrot"}


def run(arguments: list[str], folder: Path) -> str:
    done = subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder with the README's example files, and the studies that it names."""
    made = tmp_path_factory.mktemp("readme")
    for name, mark in FILES.items():
        (text,) = (text for kind, text in BLOCKS if kind == "python" and mark in text)
        (made / name).write_text(text)
    (made / "studies").symlink_to(ROOT / "studies")
    return made


def test_the_first_two_commands_install_run_and_test() -> None:
    assert COMMANDS[0] == "pip install uv && uv run python -m lcl_lab.studies.false_ratio"
    assert COMMANDS[1] == "uv run pytest"
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith(COMMANDS[1])


@pytest.mark.parametrize("command", [c for c in COMMANDS if "lcl_lab.studies" in c])
def test_study_commands_run(command: str, folder: Path) -> None:
    words = shlex.split(command.split("uv run python ")[1])
    out = run([*words, "--preset", "tiny", "--queries", "4"], folder)
    assert Path(out.strip().splitlines()[-1], "report.md").is_file()


def test_training_commands_run_in_their_order(folder: Path) -> None:
    for command in (c for c in COMMANDS if "lcl_lab.train" in c):
        run([*shlex.split(command.removeprefix("uv run python ")), "--preset", "tiny", "--threads", "1"], folder)
        assert (folder / shlex.split(command)[-1] / "card.json").is_file()


def test_the_query_over_all_runs_works(folder: Path) -> None:
    (text,) = (text for kind, text in BLOCKS if kind == "python" and "connect(" in text)
    run(["-m", "lcl_lab.studies.false_ratio", "--preset", "tiny", "--queries", "4"], folder)
    assert "mini/2-way" in run(["-c", text], folder)


def test_every_command_is_run_by_one_of_these_tests() -> None:
    run_above = [c for c in COMMANDS if "lcl_lab.studies" in c or "lcl_lab.train" in c]
    assert set(COMMANDS) == {*run_above, "uv run pytest"}


def test_files_that_the_readme_names_are_there() -> None:
    for path in re.findall(r"\]\((?!http)([^)]+)\)", README):
        assert (ROOT / path).exists(), path
