"""A worker that evaluates cells in a process of its own, and what travels between it and the driver."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Read when Ray is imported; see `ray_cluster`.
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")

import ray
import torch
from ray import cloudpickle

from lcl_lab.errors import UserError
from lcl_lab.evaluation.cell_evaluator import CellEvaluator, LoadingOptions
from lcl_lab.evaluation.cells import Cell
from lcl_lab.evaluation.code_version import scoring_code
from lcl_lab.models.user_models import load_user_file
from lcl_lab.plugins import is_file

if TYPE_CHECKING:
    from lcl_lab.evaluation.design import Design
    from lcl_lab.models import Checkpoint
    from lcl_lab.store import Record

__all__ = ["PROGRESS", "AnsweredPart", "CellWorker", "Message", "Process", "Stage", "pack_stage"]

_PLUGIN = "lcl_lab_plugin_"  # names of the modules that files of users become
_LOGGER = "lcl_lab"
PROGRESS = "progress"
"""The group of methods that answer while the others, which take turns, are at work."""
Stage = tuple[bytes, Sequence[bytes]]
"""A design and its models, each packed for another process."""


@dataclass(frozen=True)
class Process:
    """What a worker's process takes over from the driver's.

    Attributes:
        path: where Python finds modules.
        folder: the current folder, to which relative paths of models and data refer.
        threads: CPU threads of a worker.
        code: `scoring_code` of the driver.
        gpus: value of CUDA_VISIBLE_DEVICES, if the worker uses the GPUs of the driver.
    """

    path: Sequence[str]
    folder: str
    threads: int
    code: str
    gpus: str | None = None


@dataclass(frozen=True)
class Message:
    """What the evaluator of a worker has to say, to be printed or noted once by the driver.

    Attributes:
        kind: "line" to print, "note" for the log of the run, or the name of a logger.
        text: the line, the event, or what is logged.
        fields: of a note.
        level: of what is logged.
    """

    kind: str
    text: str
    fields: dict[str, Any] = field(default_factory=dict)
    level: int = 0


@dataclass(frozen=True)
class AnsweredPart:
    """The records of some queries of a block.

    Attributes:
        model: the number of the model in the stage.
        records: the parts of cells, each with its records.
        device: where the answers were computed.
        messages: what the evaluator has said meanwhile.
    """

    model: int
    records: Sequence[tuple[Cell, Sequence[Record]]]
    device: str
    messages: Sequence[Message]


def pack_stage(design: Design, checkpoints: Sequence[Checkpoint]) -> Stage:
    """A design and the models that answer it, for workers. A model in a file of a user is loaded again by each.

    Raises:
        UserError: the images, the design or a model cannot be sent to another process.
    """
    _send_plugins_by_value()
    packed = []
    for checkpoint in checkpoints:
        is_from_file = checkpoint.model is not None and is_file(str(checkpoint.path))
        sent = replace(checkpoint, model=None) if is_from_file else checkpoint
        packed.append(_pack(sent, "model", checkpoint.name))
    _pack(design.image, "data", None)
    return _pack(replace(design, following=None, example=None), "workers", None), packed


def _pack(value: object, option: str, name: str | None) -> bytes:
    try:
        packed: bytes = cloudpickle.dumps(value)
    except Exception as error:  # an object of a user may fail in any way
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        reason = f"cannot be sent to workers; evaluate it with workers=1 or load it in a Python file: {reason}"
        raise UserError(reason, option=option, value=name) from error
    return packed


def _send_plugins_by_value() -> None:
    """Workers cannot import the files of users under the names that their modules have here."""
    for name, module in list(sys.modules.items()):
        if name.startswith(_PLUGIN) and name not in cloudpickle.list_registry_pickle_by_value():
            cloudpickle.register_pickle_by_value(module)


class CellWorker:
    """Evaluates cells in its process; Ray makes an actor of it.

    Args:
        process: what it takes over from the driver's process.
        study: see `CellEvaluator`.
        options: see `CellEvaluator`.
    """

    def __init__(self, process: Process, study: str, options: LoadingOptions) -> None:
        self._process, self._answered = process, 0
        self._messages: list[Message] = []
        if process.gpus is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = process.gpus
        sys.path += [folder for folder in process.path if folder not in sys.path]
        if Path(process.folder).is_dir():
            os.chdir(process.folder)
        logging.getLogger(_LOGGER).addHandler(_Collector(self._messages.append))
        self._evaluator = CellEvaluator(study, options, self._note)
        self._checkpoints: Sequence[Checkpoint] = []

    def begin(self, stage: Stage, notifies: bool, processes: int) -> list[Message]:
        """Begin a design; see `CellEvaluator.begin`.

        Args:
            stage: of `pack_stage`.
            notifies: whether lines about the models are wanted.
            processes: that load the models into the memory of this machine.
        """
        if scoring_code() != self._process.code:
            reason = "its node has another version of LCL Lab or of its libraries than the driver"
            raise UserError(reason, option="workers")
        torch.set_num_threads(self._process.threads)  # holds for one thread: the one that answers
        design, checkpoints = cloudpickle.loads(stage[0]), [cloudpickle.loads(packed) for packed in stage[1]]
        earlier = self._checkpoints  # an equal one of an earlier design has its model already
        self._checkpoints = [
            next((old for old in earlier if old == one), None) or _with_model(one) for one in checkpoints
        ]
        self._evaluator.begin(design, self._checkpoints, self._line if notifies else None, processes)
        return self._taken_messages()

    def answer(self, model: int, cells: Sequence[Cell]) -> AnsweredPart:
        """Answer parts of cells.

        Args:
            model: the number of the model in the stage.
            cells: the cells, with the queries to answer.
        """
        self._answered = 0
        records = list(self._evaluator.answer(self._checkpoints[model], cells, self._advance))
        return AnsweredPart(model, records, self._evaluator.device, self._taken_messages())

    @ray.method(concurrency_group=PROGRESS)
    def answered(self) -> int:
        """How many prompts of the last call of `answer` have been answered; may be called meanwhile."""
        return self._answered

    def _advance(self) -> None:
        self._answered += 1

    def _note(self, event: str, **fields: Any) -> None:
        self._messages.append(Message("note", event, fields))

    def _line(self, text: str) -> None:
        self._messages.append(Message("line", text))

    def _taken_messages(self) -> list[Message]:
        taken = list(self._messages)
        self._messages.clear()
        return taken


class _Collector(logging.Handler):
    """Passes on what is logged from warnings upwards."""

    def __init__(self, receive: Callable[[Message], None]) -> None:
        super().__init__(logging.WARNING)
        self._receive = receive

    def emit(self, record: logging.LogRecord) -> None:
        self._receive(Message(record.name, record.getMessage(), level=record.levelno))


def _with_model(checkpoint: Checkpoint) -> Checkpoint:
    """A checkpoint with its model, if that is in a file of the user."""
    if checkpoint.model is not None or checkpoint.base_url or not is_file(str(checkpoint.path)):
        return checkpoint
    model, fingerprint = load_user_file(str(checkpoint.path))
    if fingerprint != checkpoint.fingerprint:
        reason = (
            "load() returns another model in every process, or the file was edited; its fingerprint must not change"
        )
        raise UserError(reason, option="model", value=checkpoint.name)
    return replace(checkpoint, model=model)
