"""Records and provenance to store; also a program that a test starts and kills."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from lcl_lab.errors import UserError
from lcl_lab.store import Provenance, Record, Run, SupportExample, collect

STUDY, CONFIG = "shots", {"shots": [1, 4], "preset": "tiny"}


def record(query_id: int = 0, seed: int = 0, study: str = STUDY, **condition: Any) -> Record:
    template = Record(
        study=study,
        model="embedded",
        data="world",
        seed=seed,
        query_id=query_id,
        support_id=query_id,
        pair="blick/dax",
        condition=condition or {"shots": 4},
        episode_id=f"{seed}-{query_id}",
        support=(SupportExample("a.png", "dax", "dax", False), SupportExample("b.png", "dax", "blick", True)),
        query_image="q.png",
        question="What is in the image?",
        true_name="dax",
        other_name="blick",
        answer="It's a «dax».",
        loglik_true=-1.25 - query_id,
        loglik_other=-2.5,
        tokens_true=2,
        tokens_other=3,
        score=1.0,
        correct_open=True,
        correct_candidate=False,
        correct_candidate_raw=True,
        seconds=0.25,
    )
    return replace(template, answer=f"{template.answer} {query_id}")


def records(n: int, **condition: Any) -> list[Record]:
    return [record(query_id, **condition) for query_id in range(n)]


@cache  # asks git
def provenance() -> Provenance:
    return collect(CONFIG, [0, 1], "cpu", 1.5, ["python", "-m", "x"])


def write_until_killed(results: Path, rows: int) -> None:
    """Commit cells 0, 1, 2, … forever; print the path of the run once it is open."""
    with Run.open(results, STUDY, CONFIG) as run:
        print(run.path, flush=True)
        done = run.committed()
        for cell in count():
            if str(cell) not in done:
                run.commit(str(cell), [record(query, seed=cell) for query in range(rows)])


def die_before_rename(results: Path) -> None:
    """Be killed with a shard fully written under its temporary name."""
    with Run.open(results, STUDY, CONFIG) as run:
        print(run.path, flush=True)
        os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        run.commit("late", records(3))


def fill_the_disk(results: Path) -> None:
    """Commit a shard that fits and one that does not; print the error, in a process that may write 20 kB a file."""
    import resource

    with Run.open(results, STUDY, CONFIG) as run:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        run.commit("small", records(2))
        try:
            run.commit("large", [replace(record(query), answer=os.urandom(20).hex()) for query in range(5000)])
        except UserError as error:
            print(type(error).__name__, error, flush=True)


if __name__ == "__main__":
    results = Path(sys.argv[2])
    match sys.argv[1]:
        case "write":
            write_until_killed(results, rows=50)
        case "die":
            die_before_rename(results)
        case "fill":
            fill_the_disk(results)
