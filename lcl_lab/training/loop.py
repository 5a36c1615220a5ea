"""The training loop, on `accelerate`: one process or many, on a CPU or GPUs; a killed run can be resumed.

The batch of a step depends only on the seed and the step, and is split by position among processes and accumulation
steps. A checkpoint contains weights, optimizer, schedule and random generators; its step is the position in the data,
so a run that was killed and resumed ends in the same weights.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, DistributedType, FullyShardedDataParallelPlugin, PartialState
from accelerate.state import AcceleratorState
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import get_cosine_schedule_with_warmup

from lcl_lab.atomic import read_json, write_json
from lcl_lab.errors import UserError
from lcl_lab.training.identity import CHECKPOINTS
from lcl_lab.training.log import TrainingLog

__all__ = ["LoopConfig", "MicroBatch", "cpu_threads", "fit", "has_bf16", "processes", "shards_weights"]

_KEPT = 2  # checkpoints: the newest, and the previous one in case the newest is damaged
_DIGESTS = "digests.json"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MicroBatch:
    """What one process computes in one forward pass.

    Attributes:
        inputs: arguments of the module.
        weight: weight of its loss in the step, such as the number of tokens with loss.
        tokens: number of tokens, to report speed.
    """

    inputs: Mapping[str, Tensor]
    weight: float
    tokens: int


@dataclass(frozen=True)
class LoopConfig:
    """Options of the loop: AdamW with linear warm-up, then cosine decay to zero.

    Attributes:
        steps: optimizer steps.
        learning_rate: peak learning rate.
        warm_up: steps of warm-up.
        betas: of AdamW.
        weight_decay: of AdamW.
        accumulate: gradient accumulation steps.
        checkpoint_every: steps between two checkpoints.
        snapshot_every: steps between two snapshots; None for none.
        evaluate_every: steps between two evaluations.
        target: held-out accuracy at which training stops early; None never stops early.
    """

    steps: int
    learning_rate: float
    warm_up: int = 100
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 0.01
    accumulate: int = 1
    checkpoint_every: int = 100
    snapshot_every: int | None = None
    evaluate_every: int = 200
    target: float | None = None

    def reached(self, accuracy: float | None) -> bool:
        """Whether an accuracy is at least the target."""
        return self.target is not None and accuracy is not None and accuracy >= self.target


Build = Callable[[int, int, int], Sequence[MicroBatch]]
"""(step, part, parts) → that part of the step's batch: one micro-batch, or any number where parts is 1."""

Evaluate = Callable[[nn.Module, torch.device], float]
"""The held-out accuracy of the module, which is in evaluation mode."""
Snapshot = Callable[[int, dict[str, Tensor]], None]
"""Receives a number of steps, and the weights after them."""


def fit(
    module: nn.Module,
    build: Build,
    config: LoopConfig,
    log: TrainingLog,
    evaluate: Evaluate | None = None,
    snapshot: Snapshot | None = None,
) -> dict[str, Tensor] | None:
    """Train a module, resuming from the newest checkpoint in the log's folder.

    Args:
        module: returns losses whose sum is the summed loss of a micro-batch. It may be sharded over processes
            afterwards.
        build: builds the data of a step; runs in a thread, one step ahead.
        config: steps, learning rate and intervals.
        log: receives losses and accuracies.
        evaluate: computes the held-out accuracy.
        snapshot: receives the weights every `snapshot_every` steps, in the main process.

    Returns:
        The trained state dict in the main process, None in others.

    Raises:
        UserError: the loss is not finite, or a checkpoint cannot be written.
    """
    accelerator = _create_accelerator()
    trained = [p for p in module.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        trained, lr=config.learning_rate, betas=config.betas, weight_decay=config.weight_decay
    )
    wrapped, optimizer = accelerator.prepare(module, optimizer)
    schedule = get_cosine_schedule_with_warmup(optimizer, config.warm_up, config.steps)
    accelerator.register_for_checkpointing(schedule, log)
    accelerator.register_save_state_pre_hook(_only_trained)
    checkpoints = _Checkpoints(accelerator, log.folder)
    first = checkpoints.resume()
    parts = config.accumulate * accelerator.num_processes
    local_parts = range(accelerator.process_index, parts, accelerator.num_processes)

    def build_step(step: int) -> list[MicroBatch]:
        return [micro_batch for part in local_parts for micro_batch in build(step, part, parts)]

    wrapped.train()
    with log.open(config.steps, first, silent=not accelerator.is_main_process):
        done = config.reached(log.last_accuracy)
        remaining = range(config.steps if done else first, config.steps)
        for step, batch in _prefetch(build_step, remaining):
            loss, tokens = _backward(accelerator, wrapped, batch)
            if not isfinite(loss):
                reason = f"the loss of step {step + 1} is not finite; use a lower learning rate"
                raise UserError(reason, option="learning_rate", value=config.learning_rate)
            accelerator.clip_grad_norm_(wrapped.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            log.step(step + 1, loss, tokens)
            done = step + 1 == config.steps
            if evaluate and (done or (step + 1) % config.evaluate_every == 0):
                wrapped.eval()
                log.accuracy(step + 1, evaluate(wrapped, accelerator.device))
                wrapped.train()
                done = done or config.reached(log.last_accuracy)
            if done or (step + 1) % config.checkpoint_every == 0:
                checkpoints.save(step + 1)
            if snapshot and config.snapshot_every and (step + 1) % config.snapshot_every == 0:
                weights = accelerator.get_state_dict(wrapped)  # a collective operation
                if accelerator.is_main_process:
                    snapshot(step + 1, weights)
                accelerator.wait_for_everyone()
            if done:
                break
    state: dict[str, Tensor] = accelerator.get_state_dict(wrapped)
    is_main = accelerator.is_main_process
    # If the group were left to the exit of the interpreter, its threads would sometimes abort a finished process.
    accelerator.wait_for_everyone()
    processes().destroy_process_group()
    return state if is_main else None


def processes() -> PartialState:
    """The processes of a distributed training, and the device of this one."""
    return PartialState(cpu=not torch.accelerator.is_available())


def shards_weights() -> bool:
    """Whether `accelerate launch` was told to shard the weights over the processes."""
    return os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"


@contextmanager
def cpu_threads(number: int) -> Iterator[None]:
    """Let torch use this many CPU threads inside the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _create_accelerator() -> Accelerator:
    # An earlier training of this process may have had another precision, which would stay in force without a warning.
    AcceleratorState._reset_state()
    # Options of `accelerate launch` take precedence.
    launched = "ACCELERATE_MIXED_PRECISION" in os.environ
    precision = None if launched else "bf16" if has_bf16() else "no"
    state = processes()
    accelerator = Accelerator(mixed_precision=precision, step_scheduler_with_optimizer=False)
    if shards_weights() and state.distributed_type == DistributedType.MULTI_CPU:
        # torch can shard over CPUs, but `accelerate` does so only over GPUs and would train full copies.
        accelerator.state.distributed_type = state.distributed_type = DistributedType.FSDP
        accelerator.state.fsdp_plugin = FullyShardedDataParallelPlugin()
    return accelerator


def _prefetch(build_step: Callable[[int], list[MicroBatch]], steps: range) -> Iterator[tuple[int, list[MicroBatch]]]:
    """Each step and its batch, which is built while the previous step is computed."""
    with ThreadPoolExecutor(1) as executor:
        pending = [executor.submit(build_step, step) for step in steps[:1]]
        for step in steps:
            batch = pending.pop().result()
            if step + 1 in steps:
                pending.append(executor.submit(build_step, step + 1))
            yield step, batch


def _backward(accelerator: Accelerator, wrapped: nn.Module, batch: Sequence[MicroBatch]) -> tuple[float, int]:
    """Compute gradients of the mean loss over all processes; returns that loss and the number of tokens."""
    sizes = torch.tensor([sum(m.weight for m in batch), sum(m.tokens for m in batch)], device=accelerator.device)
    weight, tokens = accelerator.reduce(sizes).tolist()
    total = torch.zeros((), device=accelerator.device)
    for number, micro_batch in enumerate(batch):
        last = number == len(batch) - 1
        with nullcontext() if last else accelerator.no_sync(wrapped), _fast_attention(accelerator.device):
            inputs = {key: value.to(accelerator.device) for key, value in micro_batch.inputs.items()}
            loss = wrapped(**inputs).sum() / weight
            # Gradients are averaged over processes, but the loss is a sum over them.
            accelerator.backward(loss * accelerator.num_processes)
        total += loss.detach()
    return float(accelerator.reduce(total)), int(tokens)


def has_bf16() -> bool:
    """Whether this machine computes in bfloat16 natively: a GPU since Ampere, or a CPU with AVX-512 BF16 or AMX."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def _fast_attention(device: torch.device) -> AbstractContextManager[Any]:
    """Avoids the default attention kernel on a CPU, whose backward pass is several times slower."""
    return sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else nullcontext()


def _only_trained(models: list[nn.Module], weights: list[dict[str, Tensor]], folder: str) -> None:
    """Leave frozen weights out of a checkpoint, so that one with adapters of a large model is small."""
    for model, state in zip(models, weights, strict=False):
        frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
        for name in frozen & state.keys():
            del state[name]


def _digests(folder: Path) -> dict[str, str]:
    """A hash of every file of a checkpoint except the file of these hashes."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != _DIGESTS)
    digests = {}
    for path in files:
        with path.open("rb") as file:
            digests[str(path.relative_to(folder))] = hashlib.file_digest(file, "blake2b").hexdigest()[:32]
    return digests


def _is_complete(folder: Path) -> bool:
    return read_json(folder / _DIGESTS) == _digests(folder)


class _Checkpoints:
    """`checkpoints/step-000100` and so on. Each appears complete or not at all; a damaged one is skipped."""

    def __init__(self, accelerator: Accelerator, folder: Path) -> None:
        self._accelerator, self._folder = accelerator, folder / CHECKPOINTS

    def resume(self) -> int:
        """Load the newest complete checkpoint; returns its number of steps."""
        if self._accelerator.is_main_process:
            for path in self._all():
                if not _is_complete(path):
                    _log.warning("%s is damaged: resuming from the previous checkpoint", path)
                    shutil.rmtree(path)
        self._accelerator.wait_for_everyone()
        newest = self._all()[-1:]
        if not newest:
            return 0
        self._accelerator.load_state(str(newest[0]), strict=False)
        return int(newest[0].name.removeprefix("step-"))

    def save(self, step: int) -> None:
        path = self._folder / f"step-{step:06}"
        part = path.with_name(f".{path.name}.part")
        try:
            self._accelerator.save_state(str(part))
        except (OSError, RuntimeError, SafetensorError) as error:  # a full disk
            shutil.rmtree(part, ignore_errors=True)
            free = shutil.disk_usage(self._folder).free / 1e6
            raise UserError(f"cannot write {path}: {str(error).splitlines()[0]} ({free:.1f} MB are free)") from error
        self._accelerator.wait_for_everyone()
        if self._accelerator.is_main_process:
            write_json(part / _DIGESTS, _digests(part))
            os.replace(part, path)
            for old in self._all()[:-_KEPT]:
                shutil.rmtree(old)
        self._accelerator.wait_for_everyone()

    def _all(self) -> list[Path]:
        return sorted(self._folder.glob("step-*"))
