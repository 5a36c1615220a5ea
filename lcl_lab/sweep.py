"""Trains strategies with several seeds and puts each to studies, spread over cores or GPUs by Ray Tune.

    python -m lcl_lab.sweep studies/tiny_grid.yaml
    python -m lcl_lab.sweep studies/paper_grid.yaml --address auto

Kill it at any moment, or any of its workers, and give the same command again: what is finished is not run again, and
what was begun goes on, to the same records.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from lcl_lab.cli import Parser, at_least, run_program
from lcl_lab.errors import UserError

__all__ = ["main"]


def main(arguments: Sequence[str]) -> None:
    """Run the sweep of a YAML file, or go on with it, and print where its models and records are."""
    options = _parser().parse_args(arguments)

    from lcl_lab.sweeps import read_sweep

    sweep = read_sweep(options.file)

    # Else Ray, under `uv run`, packs the working directory and makes an environment for every worker.
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    from lcl_lab.sweeps.driver import drive
    from lcl_lab.sweeps.storage import Storage
    from lcl_lab.sweeps.trial import Place

    folder = options.results / "sweeps" / options.file.stem
    storage = Storage(options.storage, options.file.stem) if options.storage else None
    failed = drive(sweep, Place(folder, options.results), storage, options.address, options.workers)
    print(folder)
    if failed:
        told = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
        raise UserError(f"{len(failed)} trials failed, the same command tries them again: {told}")


def _parser() -> Parser:
    parser = Parser(
        prog="python -m lcl_lab.sweep", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("file", type=Path, help="YAML: strategies, seeds, train, studies, cpu, gpu, retries, stopping, loggers")
    add("--address", metavar="ADDRESS", help="of a Ray cluster: auto, or ray://HOST:10001 (default: this machine)")
    add("--workers", type=at_least(1), metavar="N", help="trials at a time (default: as many as fit)")
    add("--storage", metavar="URL", help="s3://BUCKET/FOLDER, gs://…: for nodes that share no folder")
    add("--results", type=Path, default=Path("results"), metavar="DIR", help="folder of all runs (default results)")
    return parser


if __name__ == "__main__":
    run_program(main)
