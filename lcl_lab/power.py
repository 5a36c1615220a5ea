"""How large must a study be? Concept pairs and queries that it takes to see a difference between two conditions.

    python -m lcl_lab.power --difference 0.05
    python -m lcl_lab.power --difference 0.05 --run results/false_ratio/20260101-120000-0a1b2c3d \\
        --a model=mini/2-way false_ratio=0 --b model=mini/2-way false_ratio=0.25

Studies are simulated and tested as real ones are. With --run, queries change and resemble one another within a
concept pair as they do between its conditions a and b; without, as --changed and --alike say.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lcl_lab.cli import Parser, run_program
from lcl_lab.errors import UserError

if TYPE_CHECKING:
    from lcl_lab.analysis.power_simulation import Clustering

__all__ = ["main"]

_EACH = (1, 2, 4, 8)  # queries of a concept pair


def main(arguments: Sequence[str]) -> None:
    """Print the concept pairs and prompts that are needed, for several numbers of queries a pair."""
    options = _parser().parse_args(arguments)
    if not 0 < options.difference < 1:
        raise UserError(f"--difference {options.difference}: must be above 0 and below 1, such as 0.05")
    if not 0 < options.power < 1:
        raise UserError(f"--power {options.power}: must be above 0 and below 1, such as 0.8")

    import numpy as np
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from lcl_lab.analysis.power_simulation import pairs_needed, power
    from lcl_lab.progress import track

    clustering = _clustering(options)
    power(options.difference, clustering, 2, 1, np.random.default_rng(0), studies=1)  # what cannot be is told at once
    told = f"changed {clustering.changed:.1%} of queries, correlation within a concept pair {clustering.alike:.2f}"
    table = Table(
        title=f"To see a difference of {options.difference:g} with power {options.power:g}\n({told})",
        title_justify="left",
        box=SIMPLE_HEAD,
    )
    for column in ("queries a pair", "concept pairs", "queries", "prompts"):
        table.add_column(column, justify="right")
    for each in track(_EACH, "simulating"):
        rng = np.random.default_rng([options.seed, each])
        pairs = pairs_needed(options.difference, clustering, each, rng, options.power)
        row = ("more than 4096", "", "") if pairs is None else (str(pairs), str(pairs * each), str(2 * pairs * each))
        table.add_row(str(each), *row)
    Console(file=sys.stdout).print(table)


def _parser() -> Parser:
    parser = Parser(
        prog="python -m lcl_lab.power", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--difference", type=float, required=True, metavar="D", help="of accuracy between the two conditions")
    add("--power", type=float, default=0.8, metavar="P", help="chance to find it at the 5 %% level (default 0.8)")
    add("--run", type=Path, metavar="DIR", help="a run directory to learn from how queries behave")
    for side in ("--a", "--b"):
        add(side, nargs="+", metavar="COLUMN=VALUE", help="a condition of the run: values of its records")
    add("--metric", choices=("candidate", "open-ended"), default="candidate", help="of the run (default candidate)")
    add("--changed", type=float, default=0.2, metavar="S", help="share of queries that change (default 0.2)")
    add("--alike", type=float, default=0.1, metavar="R", help="correlation within a concept pair (default 0.1)")
    add("--seed", type=int, default=0, help="of the simulations (default 0)")
    return parser


def _clustering(options: argparse.Namespace) -> Clustering:
    from lcl_lab.analysis.power_simulation import Clustering, observed_clustering

    if options.run is None:
        for name in ("changed", "alike"):
            if not 0 <= getattr(options, name) < 1:
                raise UserError(f"--{name} {getattr(options, name)}: must be from 0 to below 1")
        return Clustering(options.changed, options.alike)
    if not (options.a and options.b):
        raise UserError("--run: give two of its conditions as --a and --b, such as --a model=mini/2-way")

    from lcl_lab.analysis import METRICS, paired_values
    from lcl_lab.store import read_run

    records = read_run(options.run)
    a, b = (_condition(side, given, records.columns) for side, given in (("--a", options.a), ("--b", options.b)))
    before, after, clusters = paired_values(records, METRICS[options.metric], a, b)
    return observed_clustering(after - before, clusters)


def _condition(option: str, given: Sequence[str], columns: Iterable[str]) -> dict[str, object]:
    from lcl_lab.errors import nearest

    condition: dict[str, object] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals:
            raise UserError(f"{option} {one}: give it as COLUMN=VALUE, such as model=mini/2-way")
        if name not in columns:
            raise UserError(f"{option} {one}: the run has no column {name!r}; {nearest(name, columns)}")
        try:
            condition[name] = float(value)
        except ValueError:
            condition[name] = value
    return condition


if __name__ == "__main__":
    run_program(main)
