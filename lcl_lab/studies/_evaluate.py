"""Puts the questions of every condition to every model and stores the answers, cell by cell.

A cell is some queries of one condition under one model. What is in it depends on the study alone,
so a killed run goes on with the cells that are missing, whatever the batch size. The same queries
under all conditions are answered together, since their prompts begin alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from PIL.Image import Image
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lcl_lab.concepts import ImageRef
from lcl_lab.episodes import right_candidate
from lcl_lab.models import Answer, Checkpoint, Model, is_prototype, load_model
from lcl_lab.prompts import Prompt
from lcl_lab.store import Record, Run
from lcl_lab.studies._plan import Asked, Condition, Plan

__all__ = ["evaluate"]

_CELL = 50  # queries, or as many whole supports as fit


@dataclass(frozen=True)
class _Cell:
    name: str
    condition: Condition
    queries: range


def evaluate(run: Run, checkpoints: Sequence[Checkpoint], plan: Plan, batch_size: int, dtype: str) -> str:
    """Commit every cell that the run does not have yet; returns the device that answered, or "none".

    Raises:
        UserError: a model cannot read the longest prompt here; told before any is loaded.
    """
    done = run.committed()
    planned = [(found, list(_cells(found, plan))) for found in checkpoints]
    left = [(found, [cell for cell in cells if cell.name not in done]) for found, cells in planned]
    stored = sum(len(c.queries) for _, cells in planned for c in cells if c.name in done)
    total = sum(len(c.queries) for _, cells in planned for c in cells)
    device = "none"
    console = Console(stderr=True)
    longest = max((condition.ask(0).prompt for condition in plan.conditions), key=lambda prompt: len(prompt.images))
    for found, cells in left:
        if cells:
            _check(found, dtype, longest, plan.image, console)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("prompts, left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=total, completed=stored)
        for found, cells in left:
            if not cells:
                continue
            bar.update(task, description=found.name)
            model = load_model(found, batch_size, dtype)
            device = model.device
            for together in _blocks(cells):
                answered = _answer(run.study, found.name, model, plan.image, together, lambda: bar.advance(task))
                for cell, records in answered:
                    run.commit(cell.name, records)
    return device


def _check(
    found: Checkpoint, dtype: str, longest: Prompt, image: Callable[[ImageRef], Image], console: Console
) -> None:
    """Say what a model needs; what ships with the package, a user's file and a server need nothing to be said."""
    if not (found.name.startswith("mini/") or found.base_url or found.path.is_file() or is_prototype(found)):
        from lcl_lab.models.preflight import needs

        console.print(str(needs(found, dtype, longest, image)), style="dim", highlight=False)


def _cells(found: Checkpoint, plan: Plan) -> Iterator[_Cell]:
    size = max(1, _CELL // plan.queries_per_support) * plan.queries_per_support
    for condition in plan.conditions:
        if condition.models is not None and found.name not in condition.models:
            continue
        key = blake2b(repr((found.fingerprint, sorted(condition.values.items()))).encode(), digest_size=4).hexdigest()
        words = [found.name.removeprefix("mini/"), *(f"{k}={v}" for k, v in condition.values.items())]
        slug = re.sub(r"[^A-Za-z0-9=.]+", "_", "-".join(words))[-80:]
        for start in range(0, condition.queries, size):
            yield _Cell(f"{slug}-{key}-{start:06}", condition, range(start, min(start + size, condition.queries)))


def _blocks(cells: Sequence[_Cell]) -> Iterator[list[_Cell]]:
    """The cells of the same queries, by their queries."""
    for start in sorted({cell.queries.start for cell in cells}):
        yield [cell for cell in cells if cell.queries.start == start]


def _answer(
    study: str,
    name: str,
    model: Model,
    image: Callable[[ImageRef], Image],
    cells: Sequence[_Cell],
    advance: Callable[[], None],
) -> Iterator[tuple[_Cell, list[Record]]]:
    """The records of cells that begin with the same query, all asked at once."""
    most = max((cell.queries for cell in cells), key=len)
    asked = [(cell, cell.condition.ask(query)) for query in most for cell in cells if query in cell.queries]
    records: dict[str, list[Record]] = {cell.name: [] for cell in cells}
    answers = model.answer([question.prompt for _, question in asked], image)
    for (cell, question), answer in zip(asked, answers, strict=True):
        records[cell.name].append(_record(study, name, cell.condition, question, answer))
        advance()
    yield from ((cell, records[cell.name]) for cell in cells)


def _record(study: str, model: str, condition: Condition, asked: Asked, answer: Answer) -> Record:
    true, other = answer.logliks if len(answer.logliks) == 2 else (None, None)
    score = asked.grade(answer.text)
    return Record(
        study=study,
        model=model,
        data=asked.data,
        seed=asked.seed,
        query_id=asked.query_id,
        support_id=asked.support_id,
        pair=asked.pair,
        condition=condition.values,
        episode_id=asked.episode_id,
        support=asked.support,
        query_image=asked.query,
        question=asked.question,
        true_name=asked.true_name,
        other_name=asked.other_name,
        answer=answer.text,
        loglik_true=true.total if true else None,
        loglik_other=other.total if other else None,
        tokens_true=true.tokens if true else None,
        tokens_other=other.tokens if other else None,
        score=score,
        correct_open=score >= 0.5,
        correct_candidate=right_candidate(true.per_token, other.per_token) if true and other else None,
        correct_candidate_raw=right_candidate(true.total, other.total) if true and other else None,
        seconds=answer.seconds,
    )
