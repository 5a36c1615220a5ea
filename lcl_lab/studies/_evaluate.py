"""Puts the episodes of every condition to every model and stores the answers, cell by cell.

A cell is some queries of one condition under one model. What is in it depends on the study alone,
so a killed run goes on with the cells that are missing, whatever the batch size. The same queries
under all conditions are answered together, since their prompts begin alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lcl_lab.concepts import ConceptSet
from lcl_lab.episodes import Episode, right_candidate, right_open
from lcl_lab.models import Answer, Checkpoint, Model, is_prototype, load_model
from lcl_lab.prompts import Prompt, chat
from lcl_lab.store import Record, Run, Shown

__all__ = ["Condition", "evaluate"]

_CELL = 50  # queries, or as many whole supports as fit

Value = int | float | str | None


@dataclass(frozen=True)
class Condition:
    """One condition of a design: its columns in the records, and the episode of each query under it."""

    values: Mapping[str, Value]
    episode: Callable[[int], Episode]


@dataclass(frozen=True)
class _Cell:
    name: str
    condition: Condition
    queries: range


def evaluate(
    run: Run,
    checkpoints: Sequence[Checkpoint],
    concepts: ConceptSet,
    conditions: Sequence[Condition],
    queries: int,
    queries_per_support: int,
    batch_size: int,
    dtype: str,
) -> str:
    """Commit every cell that the run does not have yet; returns the device that answered, or "none".

    Raises:
        UserError: a model cannot read the longest prompt here; told before any is loaded.
    """
    done = run.committed()
    size = max(1, _CELL // queries_per_support) * queries_per_support
    plan = [(found, list(_cells(found, conditions, queries, size))) for found in checkpoints]
    left = [(found, [cell for cell in cells if cell.name not in done]) for found, cells in plan]
    stored = sum(len(c.queries) for _, cells in plan for c in cells if c.name in done)
    device = "none"
    console = Console(stderr=True)
    longest = max((chat(condition.episode(0)) for condition in conditions), key=lambda prompt: len(prompt.images))
    for found, cells in left:
        if cells:
            _check(found, dtype, longest, concepts, console)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("prompts, left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=sum(len(c.queries) for _, cells in plan for c in cells), completed=stored)
        for found, cells in left:
            if not cells:
                continue
            bar.update(task, description=found.name)
            model = load_model(found, batch_size, dtype)
            device = model.device
            for together in _blocks(cells):
                for cell, records in _answer(
                    run.study, found.name, model, concepts, together, lambda: bar.advance(task)
                ):
                    run.commit(cell.name, records)
    return device


def _check(found: Checkpoint, dtype: str, longest: Prompt, concepts: ConceptSet, console: Console) -> None:
    """Say what a model needs; what ships with the package, a user's file and a server need nothing to be said."""
    if not (found.name.startswith("mini/") or found.base_url or found.path.is_file() or is_prototype(found)):
        from lcl_lab.models.needs import needs

        console.print(needs(found, dtype, longest, concepts.image), style="dim", highlight=False)


def _cells(found: Checkpoint, conditions: Sequence[Condition], queries: int, size: int) -> Iterator[_Cell]:
    for condition in conditions:
        key = blake2b(repr((found.fingerprint, sorted(condition.values.items()))).encode(), digest_size=4).hexdigest()
        words = [found.name.removeprefix("mini/"), *(f"{k}={v}" for k, v in condition.values.items())]
        slug = re.sub(r"[^A-Za-z0-9=.]+", "_", "-".join(words))[-80:]
        for start in range(0, queries, size):
            yield _Cell(f"{slug}-{key}-{start:06}", condition, range(start, min(start + size, queries)))


def _blocks(cells: Sequence[_Cell]) -> Iterator[list[_Cell]]:
    """The cells of the same queries, by their queries."""
    for start in sorted({cell.queries.start for cell in cells}):
        yield [cell for cell in cells if cell.queries.start == start]


def _answer(
    study: str, name: str, model: Model, concepts: ConceptSet, cells: Sequence[_Cell], advance: Callable[[], None]
) -> Iterator[tuple[_Cell, list[Record]]]:
    """The records of cells of the same queries, all asked at once."""
    asked = [(cell, cell.condition.episode(query)) for query in cells[0].queries for cell in cells]
    records: dict[str, list[Record]] = {cell.name: [] for cell in cells}
    answers = model.answer([chat(episode) for _, episode in asked], concepts.image)
    for (cell, episode), answer in zip(asked, answers, strict=True):
        records[cell.name].append(_record(study, name, cell.condition.values, episode, answer))
        advance()
    yield from ((cell, records[cell.name]) for cell in cells)


def _record(study: str, model: str, condition: Mapping[str, Value], episode: Episode, answer: Answer) -> Record:
    true, other = answer.logliks or (None, None)
    return Record(
        study=study,
        model=model,
        data=episode.data,
        seed=episode.seed,
        query_id=episode.query_id,
        pair=episode.pair,
        condition=condition,
        episode_id=episode.id,
        support=tuple(Shown(str(e.image), e.label, e.true_label, e.false) for e in episode.support),
        query_image=str(episode.query),
        true_name=episode.true_name,
        other_name=episode.other_name,
        answer=answer.text,
        loglik_true=true.total if true else None,
        loglik_other=other.total if other else None,
        tokens_true=true.tokens if true else None,
        tokens_other=other.tokens if other else None,
        correct_open=right_open(answer.text, episode.true_name, episode.other_name),
        correct_candidate=right_candidate(true.per_token, other.per_token) if true and other else None,
        correct_candidate_raw=right_candidate(true.total, other.total) if true and other else None,
        seconds=answer.seconds,
    )
