"""Trains a model by a strategy: `python -m lcl_lab.train --strategy mix --out training/mix`.

The embedded model learns on a CPU in minutes; give a LLaVA checkpoint with --start and it is trained by
the same strategy, in full or with --lora, on one GPU or, with `accelerate launch`, on many. Kill a training
at any moment and give the same command again: it goes on from its last checkpoint, to the same weights.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcl_lab.cli import Parser, at_least, run_program
from lcl_lab.errors import UserError

if TYPE_CHECKING:
    from lcl_lab.models import Checkpoint
    from lcl_lab.training.log import TrainingLog

__all__ = ["check", "main"]

VISION = "vision"
_TINY_STEPS = 4


def check(arguments: Sequence[str]) -> None:
    """Raises `UserError` where a training with these arguments cannot be; nothing is written or loaded."""
    _check(_parser().parse_args(arguments))


def main(arguments: Sequence[str], tell: Callable[[dict[str, Any]], None] | None = None) -> None:
    """Check, train, and write the checkpoint, its chart and its card; `tell` gets every line of its log."""
    options = _parser().parse_args(arguments)
    start = _check(options)
    out: Path = options.out
    identity = _identity(options, start)
    if _is_main_process():
        _open(out, identity, options.overwrite)

    import torch

    from lcl_lab.training.log import TrainingLog

    torch.set_num_threads(options.threads)
    log = TrainingLog(out, options.strategy, tell)
    if options.strategy == VISION:
        _train_vision(options, log)
    else:
        _train(options, start, log)
    if _is_main_process():
        _finish(out, identity, arguments, log)


def _is_main_process() -> bool:
    """Under `accelerate launch` every process runs this program."""
    return os.environ.get("RANK", "0") == "0"


def _check(options: argparse.Namespace) -> Checkpoint | None:
    """Everything that can be wrong, before anything is loaded; the model to start from, if there is one."""
    from lcl_lab.concepts import load_dataset
    from lcl_lab.concepts.neighbours_file import neighbour_indices
    from lcl_lab.models import find_checkpoint

    processes = int(os.environ.get("WORLD_SIZE", "1"))
    if options.batch and options.batch < options.accumulate * processes:
        raise UserError(
            f"--batch {options.batch}: fewer prompts than {processes} processes with {options.accumulate} parts each; "
            f"the least is {options.accumulate * processes}"
        )
    if options.target is not None and not 0 < options.target <= 1:
        raise UserError(f"--target {options.target}: an accuracy, above 0 and at most 1")
    if options.learning_rate is not None and options.learning_rate <= 0:
        raise UserError(f"--learning-rate {options.learning_rate}: must be above 0")
    if options.strategy == VISION:
        return None

    from lcl_lab.strategies import find_strategy

    strategy = find_strategy(options.strategy, beside=(VISION,))
    concepts = load_dataset(options.data)
    few = min(concepts.concepts.values(), key=lambda concept: concept.images)
    if few.images < 9:
        raise UserError(f"--data {options.data}: concept {few.name!r} has {few.images} images; 16 shots need 9")
    if options.neighbours:
        neighbour_indices(options.neighbours, concepts)
    elif strategy.needs_links and ":" not in options.clip:
        find_checkpoint(options.clip, option="--clip")
    return find_checkpoint(options.start or f"mini/{strategy.start}", option="--start")


def _identity(options: argparse.Namespace, start: Checkpoint | None) -> Mapping[str, Any]:
    """What the trained weights depend on: a training with another identity is another training."""
    from lcl_lab.concepts import load_dataset

    depends = ("strategy", "seed", "preset", "steps", "batch", "learning_rate", "target", "every_answer", "lora")
    return {
        **{name: getattr(options, name) for name in depends},
        "start": {"name": start.name, "fingerprint": start.fingerprint} if start else None,
        "data": None if options.strategy == VISION else load_dataset(options.data).fingerprint,
        "neighbours": str(options.neighbours or options.clip),
    }


def _open(out: Path, identity: Mapping[str, Any], overwrite: bool) -> None:
    """Make the folder, or find in it the training that is to go on.

    Raises:
        UserError: the folder cannot be made, or holds a model or another training.
    """
    from lcl_lab.atomic import read_json, write_json
    from lcl_lab.models.checkpoint import CARD, TRAINING

    file = out / TRAINING
    goes_on = read_json(file) == identity
    if overwrite and not goes_on:
        for path in (out / "checkpoints", out / CARD):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    elif file.exists() and not goes_on:
        raise UserError(f"--out {out}: another training was begun there; give another folder, or --overwrite")
    elif (out / "config.json").exists() and not goes_on:
        raise UserError(f"--out {out}: there is a model; give another folder, or --overwrite")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {out}: cannot write there: {error.strerror}") from error
    write_json(file, identity)


def _train_vision(options: argparse.Namespace, log: TrainingLog) -> None:
    from lcl_lab.training.pretrain_clip import ClipPlan, train_clip

    plan = ClipPlan(steps=_TINY_STEPS, groups=40, batch=16) if options.preset == "tiny" else ClipPlan()
    train_clip(plan, options.out, options.seed, options.threads, log)


def _train(options: argparse.Namespace, start: Checkpoint | None, log: TrainingLog) -> None:
    from lcl_lab.strategies import find_strategy
    from lcl_lab.training.data import Sources
    from lcl_lab.training.run import Options, train_strategy

    assert start is not None
    tiny = options.preset == "tiny"
    small = {"images": 9, "groups": 40, "known": 8} if tiny else {}
    data = "world-dev" if tiny and options.data == "world-900" and not options.neighbours else options.data
    sources = Sources(data=data, neighbours=options.neighbours, clip=options.clip, **small)
    chosen = Options(
        seed=options.seed,
        steps=options.steps or (_TINY_STEPS if tiny else None),
        batch=options.batch or (4 if tiny else None),
        accumulate=options.accumulate,
        learning_rate=options.learning_rate,
        checkpoint_every=options.checkpoint_every,
        evaluate_every=2 if tiny else 200,
        target=options.target,
        every_answer=options.every_answer,
        lora=options.lora,
        held_out_queries=8 if tiny else 100,
        threads=options.threads,
    )
    train_strategy(find_strategy(options.strategy), start, options.out, sources, chosen, log)


def _finish(out: Path, identity: Mapping[str, Any], arguments: Sequence[str], log: TrainingLog) -> None:
    """The chart and the card; what only an unfinished training needs goes."""
    import pandas as pd

    from lcl_lab.atomic import write_json
    from lcl_lab.figures import training_figure
    from lcl_lab.models.checkpoint import CARD, TRAINING, fingerprint
    from lcl_lab.training.log import METRICS_FILE

    lines = pd.read_json(out / METRICS_FILE, lines=True)
    if len(lines):
        training_figure(lines, log.title).save(out, "training")
    card = {
        "fingerprint": fingerprint(out),
        **identity,
        "command": shlex.join(["python", "-m", "lcl_lab.train", *arguments]),
        "steps": log.done,
        "seconds": round(log.seconds),
    }
    write_json(out / CARD, card)
    shutil.rmtree(out / "checkpoints", ignore_errors=True)
    (out / TRAINING).unlink()
    print(out)


def _parser() -> Parser:
    parser = Parser(
        prog="python -m lcl_lab.train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    names = "vision, base, 2-way, 2-way-random, 2-way-weight, mix, in-context, fixed-2 … fixed-16"
    add("--strategy", required=True, metavar="NAME", help=f"{names}, policy_2way_random_shot, or a Python file")
    add("--out", type=Path, required=True, metavar="DIR", help="folder of the checkpoint")
    add("--start", metavar="NAME", help="model to start from (default: the shipped one that the strategy builds on)")
    add("--data", default="world-900", metavar="NAME", help="concept set to train on (default world-900)")
    add("--neighbours", type=Path, metavar="FILE", help="hard negatives, as train900_pairs.jsonl (default: mined)")
    add("--clip", default="mini/prototype", metavar="NAME", help="what mines them (see lcl_lab.neighbours)")
    add("--seed", type=at_least(0), default=0, help="of every draw (default 0)")
    add("--preset", choices=("default", "tiny"), default="default", help="tiny shows in seconds that it runs")
    add("--steps", type=at_least(1), metavar="N", help="optimiser steps (default: the strategy's; 2000 for a LLaVA)")
    add("--batch", type=at_least(1), metavar="N", help="prompts of a step, over all processes (default for a LLaVA: 4)")
    add("--accumulate", type=at_least(1), default=1, metavar="N", help="parts in which a process reads its prompts")
    add("--learning-rate", type=float, metavar="X", help="default for a LLaVA: 2e-5, with --lora 2e-4")
    add("--lora", type=at_least(1), metavar="RANK", help="train adapters of that rank instead of all weights")
    add("--every-answer", action="store_true", help="loss on every answer of a dialogue, not on the last alone")
    add("--target", type=float, metavar="X", help="stop when the accuracy on held-out episodes reaches it")
    add("--checkpoint-every", type=at_least(1), default=100, metavar="N", help="steps between them (default 100)")
    add("--threads", type=at_least(1), default=os.cpu_count() or 1, metavar="N", help="of the processor")
    add("--overwrite", action="store_true", help="replace what is in the folder")
    return parser


if __name__ == "__main__":
    run_program(main)
