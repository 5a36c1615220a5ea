"""Trains, measures and ships the models of the package.

    python -m lcl_lab.zoo train --out training/zoo     from nothing to all models, and whether each reaches its bar
    python -m lcl_lab.zoo train --out training/zoo --ship     the same, then into the package those that do
    python -m lcl_lab.zoo seeds --out training/seeds   three seeds of 2-way, and their spread
    python -m lcl_lab.zoo table                        the table of the shipped models into the README

Kill it at any moment and give the same command again: what is trained stays, what was begun goes on.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from lcl_lab.cli import Parser, at_least, run_program

__all__ = ["main"]


def main(arguments: Sequence[str]) -> None:
    """Do what the first word says."""
    options = _parser().parse_args(arguments)

    from lcl_lab.zoo import commands

    getattr(commands, options.command)(options)


def _parser() -> Parser:
    parser = Parser(
        prog="python -m lcl_lab.zoo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    several = parser.add_subparsers(dest="command", required=True, metavar="train|seeds|table")
    train = several.add_parser("train", help="train all models from nothing and judge them")
    train.add_argument("--out", type=Path, required=True, metavar="DIR", help="one folder a model")
    train.add_argument("--ship", action="store_true", help="replace the package's by those that reach their bars")
    seeds = several.add_parser("seeds", help="train 2-way with several seeds and report the spread")
    seeds.add_argument("--out", type=Path, required=True, metavar="DIR", help="one folder a seed")
    seeds.add_argument("--count", type=at_least(1), default=3, metavar="N", help="seeds 0 to N - 1 (default 3)")
    table = several.add_parser("table", help="write the table of the shipped models' cards")
    table.add_argument("--readme", type=Path, default=Path("README.md"), metavar="FILE", help="default README.md")
    for one in (train, seeds):
        one.add_argument("--preset", choices=("default", "tiny"), default="default", help="tiny shows that it runs")
        one.add_argument(
            "--threads", type=at_least(1), default=os.cpu_count() or 1, metavar="N", help="of the processor"
        )
    return parser


if __name__ == "__main__":
    run_program(main)
