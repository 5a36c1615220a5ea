"""Trains an embedded model: `python -m lcl_lab.train --strategy 2-way --out training/2-way`.

The shipped models were made by, in this order (minutes on two cores):

    python -m lcl_lab.train --strategy vision --out lcl_lab/data/models/prototype
    python -m lcl_lab.train --strategy base --out lcl_lab/data/models/base
    python -m lcl_lab.train --strategy 2-way --out lcl_lab/data/models/2-way
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from lcl_lab.cli import Parser, run_program
from lcl_lab.errors import UserError, nearest

__all__ = ["main"]

_STARTS = {"vision": "", "base": "mini/prototype", "2-way": "mini/base"}
_PRESETS = ("default", "tiny")


def main(arguments: Sequence[str]) -> None:
    """Parse, train, evaluate where there is something to evaluate, and write the model's card."""
    options = _parser().parse_args(arguments)
    if options.strategy not in _STARTS:
        raise UserError(f"--strategy {options.strategy}: unknown strategy; {nearest(options.strategy, _STARTS)}")
    out: Path = options.out
    if (out / "config.json").exists() and not options.overwrite:
        raise UserError(f"--out {out}: there is a model; give another folder, or --overwrite")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {out}: cannot make the folder: {error.strerror}") from error

    from lcl_lab.models.registry import CARD, find_checkpoint, fingerprint

    start = options.start or _STARTS[options.strategy]
    found = find_checkpoint(start) if start else None

    import torch

    from lcl_lab.strategies.log import TrainingLog
    from lcl_lab.strategies.recipes import BUDGETS, RECIPES

    torch.set_num_threads(options.threads)
    log = TrainingLog(out, options.strategy)
    (out / CARD).unlink(missing_ok=True)
    RECIPES[options.strategy](found.path if found else out, out, BUDGETS[options.preset], options.seed, log)
    card = {
        "fingerprint": fingerprint(out),
        "strategy": options.strategy,
        "start": {"name": start, "fingerprint": found.fingerprint} if found else None,
        "command": shlex.join(["python", "-m", "lcl_lab.train", *arguments]),
        "seed": options.seed,
        "steps": log.done,
        "seconds": round(log.seconds),
    }
    (out / CARD).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    print(out)


def _parser() -> Parser:
    parser = Parser(prog="python -m lcl_lab.train", description="Train an embedded model.")
    parser.add_argument("--strategy", required=True, help=f"one of {', '.join(_STARTS)}")
    parser.add_argument("--out", type=Path, required=True, help="folder of the checkpoint")
    parser.add_argument("--start", help="model to start from (default: the shipped one that the strategy builds on)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--preset", choices=_PRESETS, default="default", help="tiny shows in seconds that it runs")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="of the processor")
    parser.add_argument("--overwrite", action="store_true", help="replace the model in the folder")
    return parser


if __name__ == "__main__":
    run_program(main)
