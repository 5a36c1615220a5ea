"""Evaluates cells in this process: loads one model after another, checks it, and lets it answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from lcl_lab import models
from lcl_lab.evaluation.cells import Cell, answer_block, group_blocks
from lcl_lab.evaluation.loaded_models import load_for, stays_loaded
from lcl_lab.evaluation.model_checks import Note, check_before_loading, check_logliks, check_support

if TYPE_CHECKING:
    from lcl_lab.evaluation.design import Design
    from lcl_lab.models import Checkpoint, Model
    from lcl_lab.store import Record

__all__ = ["AnsweredCell", "CellEvaluator", "Executor", "LoadingOptions", "LocalExecutor", "Missing", "Progress"]

Missing = Sequence[tuple["Checkpoint", Sequence[Cell]]]
"""The cells that a run does not have yet, by model; none of the lists is empty."""
Progress = Callable[[str, int], None]
"""Receives the name of a model that is evaluated, and how many prompts of the missing cells have been answered."""


@dataclass(frozen=True)
class LoadingOptions:
    """How models are loaded; see `load_model`."""

    batch_size: int
    dtype: str
    fresh: bool
    use_cache: bool


@dataclass(frozen=True)
class AnsweredCell:
    """A cell with its records.

    Attributes:
        name: of the cell.
        records: one per query.
        device: where its answers were computed.
    """

    name: str
    records: Sequence[Record]
    device: str


class Executor(Protocol):
    """What evaluates the missing cells of a design, here or elsewhere."""

    def begin(self, design: Design, missing: Missing, notify: Callable[[str], None] | None) -> None:
        """Prepare the evaluation of a design, up to the check of its models.

        Args:
            design: what the cells are of.
            missing: the cells.
            notify: receives lines about the models, now and later.

        Raises:
            UserError: a model cannot be evaluated.
        """

    def evaluate(self, progress: Progress) -> Iterator[AnsweredCell]:
        """Evaluate the cells of the design that was begun.

        Args:
            progress: called after every answer, or every moment.

        Yields:
            The cells, in any order.

        Raises:
            UserError: a model cannot be evaluated.
        """


class CellEvaluator:
    """Lets models answer cells in this process, with one of them in memory.

    A model is kept for a following design on the same data, since it remembers the images that it has encoded by
    dataset, concept and number.

    Args:
        study: value of the records' `study` column.
        options: how models are loaded.
        note: receives events for the log of the run.
    """

    def __init__(self, study: str, options: LoadingOptions, note: Note) -> None:
        self._study, self._options, self._note = study, options, note
        self._notify: Callable[[str], None] | None = None
        self._design: Design | None = None
        self._loaded: tuple[Checkpoint, Model] | None = None
        self._is_checked = False

    @property
    def device(self) -> str:
        """Where the model that is in memory computes."""
        return "none" if self._loaded is None else self._loaded[1].device

    def begin(
        self,
        design: Design,
        checkpoints: Sequence[Checkpoint],
        notify: Callable[[str], None] | None,
        processes: int = 1,
    ) -> None:
        """Begin a design: check all models before any of them is loaded.

        Args:
            design: the conditions and items.
            checkpoints: the models in the order in which they answer.
            notify: receives lines about them.
            processes: see `check_before_loading`.

        Raises:
            UserError: a model cannot be evaluated on this machine.
        """
        before, self._design, self._notify, self._is_checked = self._design, design, notify, False
        data = design.identity.get("data")
        same_data = before is not None and data is not None and before.identity.get("data") == data
        if self._loaded and not (same_data and self._loaded[0] in checkpoints[:1]):
            self._loaded = None
        loaded = {one.name for one in checkpoints if self._is_in_memory(one)}
        check_before_loading(self._note, checkpoints, self._options.dtype, design, notify, loaded, processes)

    def answer(
        self, checkpoint: Checkpoint, cells: Sequence[Cell], advance: Callable[[], None]
    ) -> Iterator[tuple[Cell, list[Record]]]:
        """Answer some cells of the design that was begun; they share prefixes if they start at the same query.

        Args:
            checkpoint: the model, which is loaded unless it is in memory.
            cells: the cells.
            advance: called after every answer.

        Yields:
            Each cell with its records.
        """
        model, design = self._load(checkpoint), self._begun()
        yield from answer_block(self._study, checkpoint.name, model, design, cells, advance)

    def _begun(self) -> Design:
        if self._design is None:
            raise RuntimeError("no design was begun")
        return self._design

    def _is_in_memory(self, checkpoint: Checkpoint) -> bool:
        if self._loaded is not None and self._loaded[0] == checkpoint:
            return True
        return stays_loaded(self._begun(), checkpoint, self._options.batch_size, self._options.dtype)

    def _load(self, checkpoint: Checkpoint) -> Model:
        design, options = self._begun(), self._options
        if self._loaded is None or self._loaded[0] != checkpoint:
            self._loaded, self._is_checked = None, False  # frees the memory of the model before
            arguments = (options.batch_size, options.dtype, options.fresh, options.use_cache)
            self._loaded = checkpoint, load_for(design, checkpoint, *arguments)
        model = self._loaded[1]
        if not self._is_checked:
            check_logliks(checkpoint.name, model, design)
            if not models.is_reference(checkpoint):  # of which it is known
                check_support(self._note, checkpoint.name, model, design, self._notify)
            self._is_checked = True
        return model


class LocalExecutor:
    """Evaluates cells in this process, all of a model before the next one.

    Args:
        evaluator: what evaluates them.
    """

    def __init__(self, evaluator: CellEvaluator) -> None:
        self._evaluator = evaluator
        self._missing: Missing = ()

    def begin(self, design: Design, missing: Missing, notify: Callable[[str], None] | None) -> None:
        """See `Executor.begin`."""
        self._missing = missing
        self._evaluator.begin(design, [checkpoint for checkpoint, _ in missing], notify)

    def evaluate(self, progress: Progress) -> Iterator[AnsweredCell]:
        """See `Executor.evaluate`."""
        answered = 0
        for checkpoint, cells in self._missing:

            def advance(name: str = checkpoint.name) -> None:
                nonlocal answered
                answered += 1
                progress(name, answered)

            progress(checkpoint.name, answered)
            for block in group_blocks(cells):
                for cell, records in self._evaluator.answer(checkpoint, block, advance):
                    yield AnsweredCell(cell.name, records, self._evaluator.device)
