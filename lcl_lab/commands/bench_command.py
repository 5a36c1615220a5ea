"""The commands of LCL-Bench: evaluate a model on the suite, and compare cards."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from lcl_lab import bench
from lcl_lab.bench.bench_config import BenchConfig, CompareConfig
from lcl_lab.bench.card import headline_text
from lcl_lab.commands.program import Program
from lcl_lab.safe_console import SafeConsole

__all__ = ["bench_program", "leaderboard_program"]

_RUN = """Evaluate a model on LCL-Bench, and write its result card.

The suite is fixed: attribution, false labels, their positions, shots, n-way and open-set episodes, and arithmetic, with
invented names from a seed that no training of this project has used. Kill it at any moment and run it again: what is
finished is not evaluated again.
"""
_COMPARE = """Make a leaderboard of result cards, as pages that can be published as they are.

Only cards of the same version, preset and data are in one table.
"""


def bench_program(name: str = "lcl bench run") -> Program[BenchConfig]:
    """The command that prints the headlines and the path of the card."""
    return Program(name, BenchConfig, _run, _RUN)


def leaderboard_program(name: str = "lcl bench compare") -> Program[CompareConfig]:
    """The command that prints the path of the leaderboard."""
    return Program(name, CompareConfig, _compare, _COMPARE, takes_file=False)


def _run(config: BenchConfig) -> None:
    path = bench.run_bench(config, verbose=True)
    card = bench.read_card(path)
    table = Table("quantity", "estimate with 95 % interval", "n", box=SIMPLE_HEAD, pad_edge=False)
    for headline in bench.HEADLINES:
        count = str(card.headlines.get(headline.key, {}).get("n", ""))
        table.add_row(escape(headline.title), headline_text(card, headline), count)
    console = SafeConsole()
    console.print(table)
    console.print(str(path), soft_wrap=True, highlight=False, markup=False)


def _compare(config: CompareConfig) -> None:
    path = bench.write_leaderboard([bench.read_card(card) for card in config.cards], config.out)
    SafeConsole().print(str(path), soft_wrap=True, highlight=False, markup=False)
