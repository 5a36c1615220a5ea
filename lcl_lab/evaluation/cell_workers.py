"""Evaluates the cells of a run on several workers of a Ray cluster; only the driver writes to the run."""

from __future__ import annotations

import logging
import os
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING, Any

# Read when Ray is imported; see `ray_cluster`.
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")

import ray
from ray.exceptions import NodeDiedError, OutOfMemoryError, RayActorError, RayError, RayTaskError, WorkerCrashedError

from lcl_lab.errors import UserError
from lcl_lab.evaluation.cell_evaluator import AnsweredCell, LoadingOptions, Missing, Progress
from lcl_lab.evaluation.cell_worker import PROGRESS, AnsweredPart, CellWorker, Message, Process, pack_stage
from lcl_lab.evaluation.cells import Cell, group_blocks
from lcl_lab.evaluation.code_version import scoring_code
from lcl_lab.evaluation.model_checks import Note
from lcl_lab.evaluation.worker_places import Place, connected_places
from lcl_lab.safe_console import SafeConsole

if TYPE_CHECKING:
    from lcl_lab.evaluation.design import Design
    from lcl_lab.store import Record

__all__ = ["CellWorkers", "on_workers"]

_MOST_LOSSES = 3  # workers that may be lost with the same cells, or while they start
_PARTS = 4  # per worker, at least, so that none waits long for the last one
_LOST = (RayActorError, WorkerCrashedError, NodeDiedError, OutOfMemoryError)
_MOMENT = 0.5  # seconds between two looks at the progress of workers


@dataclass(frozen=True)
class _Part:
    """Some queries of a block of cells, which one worker answers at a time."""

    model: int
    cells: tuple[Cell, ...]


@contextmanager
def on_workers(count: int, gpus: int | None, study: str, options: LoadingOptions, note: Note) -> Iterator[CellWorkers]:
    """What evaluates cells on workers. They start with the first missing cells, and end with the block.

    Args:
        count: the number of workers.
        gpus: GPUs of each; None for one where there are GPUs.
        study: value of the records' `study` column.
        options: how models are loaded.
        note: receives events for the log of the run.
    """
    with ExitStack() as stack:
        yield CellWorkers(count, gpus, study, options, note, stack)


class CellWorkers:
    """See `on_workers`."""

    def __init__(
        self, count: int, gpus: int | None, study: str, options: LoadingOptions, note: Note, stack: ExitStack
    ) -> None:
        self._count, self._gpus, self._study, self._options = count, gpus, study, options
        self._note, self._stack = note, stack
        self._places: list[Place] = []
        self._workers: list[_Worker] = []
        self._missing: Missing = ()
        self._parts: Sequence[_Part] = ()
        self._notify: Callable[[str], None] | None = None
        self._said: set[str] = set()

    def begin(self, design: Design, missing: Missing, notify: Callable[[str], None] | None) -> None:
        """See `Executor.begin`."""
        self._missing, self._notify = missing, notify
        stage = pack_stage(design, [checkpoint for checkpoint, _ in missing])
        self._parts = list(_parts(missing, self._count, self._options.batch_size, design.queries_per_support))
        with SafeConsole(stderr=True, force_jupyter=False).status(f"starting {self._count} workers …"):
            self._start(len(self._parts))
            stage_reference = ray.put(stage)
            for worker in self._workers:
                worker.begin(stage_reference, notify is not None)
            for worker in self._workers:
                self._pass_on(worker.wait_until_begun())

    def evaluate(self, progress: Progress) -> Iterator[AnsweredCell]:
        """See `Executor.evaluate`."""
        names = [checkpoint.name for checkpoint, _ in self._missing]
        whole = {cell.name: len(cell.queries) for _, cells in self._missing for cell in cells}
        collected: dict[str, dict[int, Sequence[Record]]] = {name: {} for name in whole}
        waiting, done = deque(self._parts), 0
        while True:
            for worker in self._workers:
                if waiting and worker.part is None:
                    worker.answer(waiting.popleft())
            busy = [worker for worker in self._workers if worker.part is not None]
            if not busy:
                return
            progress(names[min(worker.model for worker in busy)], done + sum(one.answered() for one in busy))
            for worker in _wait(busy):
                answered = worker.result()
                if answered is None:
                    continue  # it was lost, and a new one answers the same
                self._pass_on(answered.messages)
                for part, records in answered.records:
                    done += len(records)
                    of_cell = collected[part.name]
                    of_cell[part.queries.start] = records
                    if sum(map(len, of_cell.values())) == whole[part.name]:
                        joined = [record for start in sorted(of_cell) for record in of_cell[start]]
                        yield AnsweredCell(part.name, joined, answered.device)
                progress(names[answered.model], done + sum(one.answered() for one in busy if one.part is not None))

    def _start(self, most: int) -> None:
        """Start the workers that are not yet running, up to a number."""
        if not self._places:
            self._places = self._stack.enter_context(connected_places(self._count, self._gpus))
        code, folder = scoring_code(), os.getcwd()
        for place in self._places[len(self._workers) : most]:
            process = Process(list(sys.path), folder, place.threads, code, place.visible_gpus)
            worker = _Worker(place, process, self._study, self._options)
            self._stack.callback(worker.end)
            self._workers.append(worker)

    def _pass_on(self, messages: Sequence[Message]) -> None:
        """Print or note what workers have to say; all say the same about their models."""
        for message in messages:
            if repr(message) in self._said:
                continue
            self._said.add(repr(message))
            if message.kind == "note":
                self._note(message.text, **message.fields)
            elif message.kind == "line":
                if self._notify:
                    self._notify(message.text)
            else:
                logging.getLogger(message.kind).log(message.level, "%s", message.text)


class _Worker:
    """A worker and what it is doing. One that is lost is replaced, and its cells are answered again.

    Attributes:
        part: the cells that it is answering; None if it has nothing to do.
    """

    def __init__(self, place: Place, process: Process, study: str, options: LoadingOptions) -> None:
        remote: Any = ray.remote  # its types lack concurrency groups
        kind = remote(concurrency_groups={PROGRESS: 1}, **place.options)(CellWorker)
        self._create = lambda: kind.remote(process, study, options)
        self._place = place
        self._actor = self._create()
        self._losses: Counter[str] = Counter()
        self._stage: tuple[Any, bool] = (None, False)
        self._begun: Any = None
        self._poll: Any = None
        self._answered = 0
        self.part: _Part | None = None
        self.reference: Any = None

    @property
    def model(self) -> int:
        """The number of the model that it evaluates."""
        return self.part.model if self.part else 0

    def begin(self, stage: Any, notifies: bool) -> None:
        """Begin a design, without waiting for it."""
        self._stage = stage, notifies
        self._begun = self._actor.begin.remote(stage, notifies, self._place.processes)

    def wait_until_begun(self) -> Sequence[Message]:
        """Wait until it has begun; returns what it has to say."""
        while True:
            try:
                messages: Sequence[Message] = _get(self._begun)
            except _LOST as error:
                self._replace("starting", error)
            else:
                self._begun = None
                return messages

    def answer(self, part: _Part) -> None:
        """Answer some cells, without waiting for the answers."""
        self.part, self._answered, self._poll = part, 0, None
        self.reference = self._actor.answer.remote(part.model, part.cells)

    def result(self) -> AnsweredPart | None:
        """The answers, when `reference` is ready; None if the worker was lost, so that a new one answers again."""
        part = self.part
        if part is None:
            return None
        try:
            if self._begun is not None:  # it is new, and may have failed to begin
                _get(self._begun)
                self._begun = None
            answered: AnsweredPart = _get(self.reference)
        except _LOST as error:
            self._replace(part.cells[0].name, error)
            self.answer(part)
            return None
        self.part = None
        return answered

    def answered(self) -> int:
        """How many prompts of its cells have been answered; asks for the next look without waiting for it."""
        with suppress(RayError):
            if self._poll is not None and ray.wait([self._poll], timeout=0)[0]:
                self._answered, self._poll = ray.get(self._poll), None
            if self._poll is None:
                self._poll = self._actor.answered.remote()
        return self._answered

    def end(self) -> None:
        """End the process of the worker."""
        with suppress(RayError):
            ray.kill(self._actor)

    def _replace(self, doing: str, error: RayError) -> None:
        """Start a new process in place of one that was lost.

        Raises:
            UserError: this has happened too often.
        """
        self._losses[doing] += 1
        if self._losses[doing] >= _MOST_LOSSES:
            doing = "while they started" if doing == "starting" else f"with the cell {doing}"
            raise UserError(
                f"{_MOST_LOSSES} workers were lost {doing}, the last one because {_reason(error)}; "
                "the same command resumes from what is stored"
            ) from error
        self.end()
        self._actor = self._create()
        # The others have loaded their models by now, which leaves it the memory of the lost one.
        self._begun = self._actor.begin.remote(*self._stage, 1)


def _get(reference: Any) -> Any:
    """The value of a reference; an exception of a worker is raised as if it had been raised here."""
    try:
        return ray.get(reference)
    except RayTaskError as error:
        if isinstance(error.cause, Exception) and not isinstance(error.cause, RayTaskError):
            raise error.cause from error
        raise


def _wait(busy: Sequence[_Worker]) -> list[_Worker]:
    """The workers that have answered, or were lost; none after a moment."""
    by_reference = {worker.reference: worker for worker in busy}
    ready, _ = ray.wait(list(by_reference), num_returns=1, timeout=_MOMENT)
    return [by_reference[reference] for reference in ready]


def _reason(error: RayError) -> str:
    """Why a worker was lost."""
    if isinstance(error, OutOfMemoryError) or "running low on memory" in str(error):
        return "Ray freed memory of its machine"
    if isinstance(error, NodeDiedError) or "its node has died" in str(error):
        return "its machine was lost"
    return "its process was killed or crashed"


def _parts(missing: Missing, workers: int, batch_size: int, queries_per_support: int) -> Iterator[_Part]:
    """The blocks of each model in order, divided so far that all workers have something to do to the end.

    Queries that share a support stay together, and so do as many as fill a batch.
    """
    blocks = [(model, block) for model, (_, cells) in enumerate(missing) for block in group_blocks(cells)]
    pieces = ceil(_PARTS * workers / len(blocks))
    for model, block in blocks:
        longest = max((cell.queries for cell in block), key=len)
        batches = len(longest) * len(block) // batch_size
        step = ceil(len(longest) / max(1, min(pieces, batches)))
        step = ceil(step / queries_per_support) * queries_per_support
        for start in range(longest.start, longest.stop, step):
            cut = range(start, start + step)
            cells = [replace(cell, queries=_overlap(cell.queries, cut)) for cell in block]
            yield _Part(model, tuple(cell for cell in cells if cell.queries))


def _overlap(first: range, second: range) -> range:
    return range(max(first.start, second.start), min(first.stop, second.stop))
