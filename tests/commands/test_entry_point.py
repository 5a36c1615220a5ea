from __future__ import annotations

import subprocess
import sys

import pytest

from lcl_lab.commands import main
from lcl_lab.studies import find_studies

COMMANDS = ("study", "train", "sweep", "power", "mine", "convert", "zoo", "dashboard")


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main(words)
    captured = capsys.readouterr()
    return int(str(caught.value.code)), captured.out, captured.err


def test_the_commands_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ((), ("--help",)):
        status, out, _ = run(capsys, *words)
        assert status == 0
        assert all(f"  {command} " in out for command in COMMANDS)
    status, out, _ = run(capsys, "study")
    assert status == 0
    assert all(f"  {study.name} " in out for study in find_studies())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trian"], "error: lcl: unknown command 'trian'; did you mean 'train'?\n"),
        (["study", "false-ratio"], "error: lcl study: unknown command 'false-ratio'; did you mean 'false_ratio'?\n"),
        (["power", "--difference", "2"], "error: --difference 2: must be below 1\n"),
        (["zoo", "train"], "error: --out: is required\n"),
    ],
)
def test_mistakes_are_one_line(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, *words)
    assert (status, err) == (2, message)


@pytest.mark.parametrize(
    "words",
    [
        *(["lcl", command] for command in COMMANDS if command not in ("study", "zoo")),
        ["lcl", "study", "shots"],
        ["lcl", "study", "all"],
        ["lcl", "zoo", "train"],
        *(["module", f"lcl_lab.{name}"] for name in ("train", "sweep", "power", "neighbours", "models.convert_shikra")),
        ["module", "lcl_lab.studies.false_ratio"],
        ["module", "lcl_lab.zoo"],
    ],
    ids=" ".join,
)
def test_help_is_light(words: list[str]) -> None:
    """Help imports nothing that takes long; measured, it takes less than 0.6 s."""
    kind, *rest = words
    heavy = "{'torch', 'transformers', 'pandas', 'altair', 'ray', 'streamlit', 'statsmodels', 'duckdb', 'open_clip'}"
    check = f"import sys, atexit; atexit.register(lambda: print(sorted({heavy} & set(sys.modules)), file=sys.stderr)); "
    if kind == "lcl":
        program = f"{check}from lcl_lab.commands import main; main({[*rest, '--help']})"
    else:
        program = f"{check}import runpy; sys.argv = ['x', '--help']; runpy.run_module({rest[0]!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Usage: " in done.stdout
    assert done.stderr.strip().splitlines()[-1] == "[]"
