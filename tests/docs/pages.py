"""The pages of the documentation, their code blocks, and how commands of a page are run in this process."""

from __future__ import annotations

import ast
import io
import re
import runpy
import shlex
import sys
import warnings
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lcl_lab.commands import main

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
_BLOCK = re.compile(r"^```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A code block.

    Attributes:
        page: the page, relative to the repository.
        language: such as ``"python"``.
        text: the code.
        title: the name of the file that the block shows, if it shows one.
    """

    page: str
    language: str
    text: str
    title: str = ""


def blocks(page: Path) -> list[Block]:
    """The code blocks of a page in order."""
    name = str(page.relative_to(ROOT))
    return [Block(name, *_parts(match)) for match in _BLOCK.finditer(page.read_text(encoding="utf-8"))]


def _parts(match: re.Match[str]) -> tuple[str, str, str]:
    return match[1], match[3], match[2] or ""


ALL_BLOCKS = [block for page in PAGES for block in blocks(page)]
COMMANDS = list(
    dict.fromkeys(line for block in ALL_BLOCKS if block.language == "sh" for line in block.text.strip().splitlines())
)


def write_files(folder: Path) -> None:
    """Write the files that pages show, and the studies that they name, into a folder."""
    for block in ALL_BLOCKS:
        if block.title:
            (folder / block.title).write_text(block.text, encoding="utf-8")
    if not (folder / "studies").exists():
        (folder / "studies").symlink_to(ROOT / "studies")


def run_command(command: str, folder: Path, *options: str) -> str:
    """Run a command of a page in this process, which has PyTorch loaded already.

    Args:
        command: `lcl …`, `python -m MODULE …` or `python FILE …`, optionally after `uv run`.
        folder: the working directory.
        *options: appended to the command.

    Returns:
        What it printed on standard output.
    """
    words = [*shlex.split(command.removeprefix("uv run ")), *options]
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*found in sys.modules.*", RuntimeWarning)  # it was imported by another test
        patch.chdir(folder)
        try:
            _run(words, patch)
        except SystemExit as end:
            assert end.code in (0, None), f"{shlex.join(words)} ended with exit code {end.code}"
    return out.getvalue()


def _run(words: list[str], patch: pytest.MonkeyPatch) -> None:
    match words:
        case ["lcl", *arguments]:
            main(arguments)
        case ["python", "-m", module, *arguments]:
            patch.setattr(sys, "argv", [module, *arguments])
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        case ["python", file, *arguments]:
            patch.setattr(sys, "argv", [file, *arguments])
            runpy.run_path(file, run_name="__main__")
        case _:
            raise AssertionError(f"not a command of Python: {shlex.join(words)}")


def run_cell(text: str, names: dict[str, Any]) -> Any:
    """Run a block as a notebook does; the value of its last line, if that is an expression."""
    tree = ast.parse(text)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "block", "exec"), names)
    return eval(compile(ast.Expression(last.value), "block", "eval"), names) if isinstance(last, ast.Expr) else None


def last_line(output: str) -> str:
    """The last line of an output, which names what a command has written."""
    return output.strip().splitlines()[-1]


def options_in(words: list[str]) -> Mapping[str, str]:
    """The value that follows each option of a command."""
    return {word: words[k + 1] for k, word in enumerate(words[:-1]) if word.startswith("--")}
