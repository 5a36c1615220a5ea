"""`lcl`: every command of LCL Lab under one name."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from rich.table import Table

from lcl_lab import benchmarks, commands, studies
from lcl_lab.commands.program import Program, exit_with_status
from lcl_lab.errors import UserError, nearest
from lcl_lab.safe_console import SafeConsole

__all__ = ["main"]


@dataclass(frozen=True)
class _Entry:
    text: str
    program: Callable[[str], Program[Any]]


@dataclass(frozen=True)
class _Group:
    """Commands that share a first word; looked up only when that word is given."""

    text: str
    entries: Callable[[], Mapping[str, _Entry]]


def _studies() -> Mapping[str, _Entry]:
    entries = {study.name: _study_entry(study) for study in studies.find_studies()}
    return {
        **entries,
        "all": _Entry("the studies from false_ratio to attribution in one report", commands.all_studies_program),
    }


def _study_entry(study: studies.Study[Any]) -> _Entry:
    first_line, *_ = [*study.doc.strip().splitlines(), ""]
    return _Entry(first_line, lambda name: commands.study_program(study, name))


def _zoo() -> Mapping[str, _Entry]:
    return {
        "train": _Entry("train the shipped models and judge them", commands.zoo_train_program),
        "photo": _Entry("train the photo models on openly licensed pictures", commands.zoo_photo_program),
        "seeds": _Entry("train 2-way with several seeds and report the spread", commands.zoo_seeds_program),
        "table": _Entry("write the table of the shipped models", commands.zoo_table_program),
    }


def _bench() -> Mapping[str, _Entry]:
    return {
        "run": _Entry("evaluate a model on the suite, and write its card", commands.bench_program),
        "compare": _Entry("make a leaderboard of cards", commands.leaderboard_program),
        "architectures": _Entry(
            "which architectures of transformers are exact", lambda name: benchmarks.architectures_program(name)
        ),
        "coverage": _Entry("how often intervals contain the truth", lambda name: benchmarks.coverage_program(name)),
        "evaluator": _Entry("evaluation against the usual way", lambda name: benchmarks.evaluator_program(name)),
        "sweep": _Entry("a sweep's overhead and speed-up", lambda name: benchmarks.sweep_program(name)),
        "workers": _Entry("the speed-up of a study's workers", lambda name: benchmarks.workers_program(name)),
        "dashboard": _Entry("pages with millions of records", lambda name: benchmarks.dashboard_program(name)),
    }


_COMMANDS: Mapping[str, _Entry | _Group] = {
    "study": _Group("run a study", _studies),
    "train": _Entry("train a model by a strategy", lambda name: commands.train_program(name)),
    "sweep": _Entry("train and evaluate many models with Ray", lambda name: commands.sweep_program(name)),
    "report": _Entry("report a stored run again, also as LaTeX", lambda name: commands.report_program(name)),
    "power": _Entry("how many queries a study needs", lambda name: commands.power_program(name)),
    "paper": _Entry("run a table or figure of the paper", lambda name: commands.paper_program(name)),
    "mine": _Entry("mine hard negatives with a CLIP", lambda name: commands.mine_program(name)),
    "convert": _Entry("convert a released checkpoint", lambda name: commands.convert_program(name)),
    "zoo": _Group("train and judge the shipped models", _zoo),
    "dashboard": _Entry("show results in a browser", lambda name: commands.dashboard_program(name)),
    "bench": _Group("compare models on one suite; what works here, and how fast it is", _bench),
}


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command that the first words name, and exit."""
    exit_with_status(lambda: _run("lcl", _COMMANDS, sys.argv[1:] if arguments is None else arguments))


def _run(name: str, entries: Mapping[str, _Entry | _Group], words: Sequence[str]) -> None:
    if not words or words[0] in ("--help", "-h"):
        _print_help(name, entries)
        return
    first, *rest = words
    if first not in entries:
        raise UserError(f"{name}: unknown command {first!r}; {nearest(first, entries)}")
    entry = entries[first]
    if isinstance(entry, _Group):
        _run(f"{name} {first}", entry.entries(), rest)
    else:
        entry.program(f"{name} {first}")(rest)


def _print_help(name: str, entries: Mapping[str, _Entry | _Group]) -> None:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for word, entry in entries.items():
        table.add_row(f"  {word}", entry.text)
    console = SafeConsole()
    console.print(f"Usage: {name} COMMAND [OPTIONS]\n", highlight=False)
    console.print(table, highlight=False)
    console.print(f"\n`{name} COMMAND --help` lists the options of a command.", highlight=False)
