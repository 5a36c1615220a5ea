"""Cells: some queries of one condition for one model, the unit in which a run is computed and stored."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING

from lcl_lab.evaluation.graded_answer import grade_answer
from lcl_lab.evaluation.model_checks import checked_answers

if TYPE_CHECKING:
    from lcl_lab.evaluation.design import Design, EvalItem
    from lcl_lab.models import Checkpoint, Loglik, Model
    from lcl_lab.prompts import Prompt
    from lcl_lab.store import Record

__all__ = ["Cell", "answer_block", "count_queries", "group_blocks", "plan_cells", "plan_model"]

_CELL = 50  # queries of a cell, or as many whole supports as fit


@dataclass(frozen=True)
class Cell:
    """Some queries of one condition for one model.

    Attributes:
        name: identifies it in a run.
        condition: the number of the condition in its design.
        queries: the ids of the queries.
    """

    name: str
    condition: int
    queries: range


def plan_cells(checkpoints: Sequence[Checkpoint], design: Design) -> list[tuple[Checkpoint, list[Cell]]]:
    """All cells of each model; they depend on the models and the design only."""
    return [(one, list(plan_model(one.name, one.fingerprint, design))) for one in checkpoints]


def plan_model(model: str, fingerprint: str, design: Design) -> Iterator[Cell]:
    """All cells of one model, given by its name in records and its fingerprint."""
    size = max(1, _CELL // design.queries_per_support) * design.queries_per_support
    for number, condition in enumerate(design.conditions):
        if not condition.includes(model):
            continue
        key = blake2b(repr((fingerprint, sorted(condition.values.items()))).encode(), digest_size=4).hexdigest()
        words = [model.removeprefix("mini/"), *(f"{k}={v}" for k, v in condition.values.items())]
        slug = re.sub(r"[^A-Za-z0-9=.]+", "_", "-".join(words))[-80:]
        for start in range(0, condition.queries, size):
            yield Cell(f"{slug}-{key}-{start:06}", number, range(start, min(start + size, condition.queries)))


def count_queries(cells: Sequence[Cell]) -> int:
    """The number of records of some cells."""
    return sum(len(cell.queries) for cell in cells)


def group_blocks(cells: Sequence[Cell]) -> list[list[Cell]]:
    """Groups of cells that start at the same query, whose prompts share prefixes."""
    blocks: dict[int, list[Cell]] = {}
    for cell in cells:
        blocks.setdefault(cell.queries.start, []).append(cell)
    return [blocks[start] for start in sorted(blocks)]


def answer_block(
    study: str, name: str, model: Model, design: Design, cells: Sequence[Cell], advance: Callable[[], None]
) -> Iterator[tuple[Cell, list[Record]]]:
    """Let a model answer a group of cells; the prompts of those that one variant of it answers are answered together.

    Args:
        study: value of the records' `study` column.
        name: the name of the model in records.
        model: the loaded model.
        design: what the cells are of.
        cells: the cells.
        advance: called after every answer.

    Yields:
        Each cell with its records.
    """
    by_variant: dict[Callable[[Model], Model] | None, list[Cell]] = defaultdict(list)
    for cell in cells:
        by_variant[design.conditions[cell.condition].variant].append(cell)
    for variant, of_variant in by_variant.items():
        answering = model if variant is None else variant(model)
        yield from _answer_together(study, name, answering, design, of_variant, advance)


def _answer_together(
    study: str, name: str, model: Model, design: Design, cells: Sequence[Cell], advance: Callable[[], None]
) -> Iterator[tuple[Cell, list[Record]]]:
    """The records of cells, whose prompts share prefixes."""
    longest = max((cell.queries for cell in cells), key=len)
    conditions = {cell.name: design.conditions[cell.condition] for cell in cells}
    items = [(cell, conditions[cell.name].item(query)) for query in longest for cell in cells if query in cell.queries]
    records: dict[str, list[Record]] = {cell.name: [] for cell in cells}
    asked = [(cell, item, *named) for cell, item in items for named in _prompts(item, design.calibrate)]
    prompts = [prompt for *_, prompt in asked]
    answers = model.answer(prompts, design.images)
    content_free: dict[str, Sequence[Loglik]] = {}
    seconds = 0.0
    for (cell, item, image, _), answer in zip(asked, checked_answers(name, answers, prompts), strict=True):
        if image:
            content_free[image] = answer.logliks
            seconds += answer.seconds  # which are those of a whole batch, if this prompt is the first that is known
            continue
        answer = replace(answer, seconds=seconds + answer.seconds)
        graded = grade_answer(item, answer, design.open_rule, content_free)
        records[cell.name].append(graded.record(study, name, conditions[cell.name]))
        content_free, seconds = {}, 0.0
        advance()
    yield from ((cell, records[cell.name]) for cell in cells)


def _prompts(item: EvalItem, calibrate: bool) -> list[tuple[str, Prompt]]:
    """The item's prompt, without a name, after those with a named image without content, which share its support."""
    before = item.content_free_prompts() if calibrate and len(item.prompt.candidates) == 2 else {}
    return [*before.items(), ("", item.prompt)]
