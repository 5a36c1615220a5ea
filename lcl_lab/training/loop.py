"""The training loop, on `accelerate`: one process or many, a CPU or GPUs, killed or not.

What step s trains on depends on the seed and s alone, and is split by position among processes and
accumulated parts. A checkpoint holds weights, optimizer, schedule and generators; its step is the
position in the data, so a run that is killed and given again ends in the same weights.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, DistributedType, FullyShardedDataParallelPlugin, PartialState
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import get_cosine_schedule_with_warmup

from lcl_lab.errors import UserError
from lcl_lab.training.log import TrainingLog

__all__ = ["Part", "Settings", "fit", "has_bf16", "processes"]

_KEPT = 2  # checkpoints: the newest, and the one before in case the newest is damaged
_DIGESTS = "digests.json"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Part:
    """What one process reads at once: inputs of the module, and by how much its loss counts."""

    inputs: Mapping[str, Tensor]
    weight: float  # tokens that carry loss
    tokens: int  # tokens read


@dataclass(frozen=True)
class Settings:
    """How long and how fast: AdamW, a linear warm-up, then a cosine down to zero."""

    steps: int
    learning_rate: float
    warm_up: int = 100  # steps
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 0.01
    accumulate: int = 1  # parts that a process reads one after the other in a step
    checkpoint_every: int = 100
    evaluate_every: int = 200
    target: float | None = None  # held-out accuracy at which training stops early

    def reached(self, accuracy: float | None) -> bool:
        return self.target is not None and accuracy is not None and accuracy >= self.target


Read = Callable[[int, int, int], Sequence[Part]]
"""(step, part, parts) → what that part of the step's batch holds; where parts is 1, in as many pieces as it likes."""


HeldOut = Callable[[nn.Module, torch.device], float]
"""The accuracy of the module, in evaluation mode, on what it is not trained on."""


def fit(
    module: nn.Module, read: Read, settings: Settings, log: TrainingLog, held_out: HeldOut | None = None
) -> dict[str, Tensor] | None:
    """Train `module`, whose output summed is the summed loss of a part.

    Goes on from the newest checkpoint in the log's folder. Returns the trained state in the main process and
    None in others; `module` itself may be spread over processes from here on.
    """
    accelerator = _open_accelerator()
    trained = [p for p in module.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        trained, lr=settings.learning_rate, betas=settings.betas, weight_decay=settings.weight_decay
    )
    wrapped, optimizer = accelerator.prepare(module, optimizer)
    schedule = get_cosine_schedule_with_warmup(optimizer, settings.warm_up, settings.steps)
    accelerator.register_for_checkpointing(schedule, log)
    accelerator.register_save_state_pre_hook(_only_trained)
    checkpoints = _Checkpoints(accelerator, log.folder)
    first = checkpoints.resume()
    parts = settings.accumulate * accelerator.num_processes
    own = range(accelerator.process_index, parts, accelerator.num_processes)
    wrapped.train()
    with log.open(settings.steps, first, silent=not accelerator.is_main_process):
        done = settings.reached(log.last_accuracy)
        left = range(settings.steps if done else first, settings.steps)
        for step, batch in _read_ahead(lambda step: [piece for part in own for piece in read(step, part, parts)], left):
            loss, tokens = _learn(accelerator, wrapped, batch)
            accelerator.clip_grad_norm_(wrapped.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            log.step(step + 1, loss, tokens)
            done = step + 1 == settings.steps
            if held_out and (done or (step + 1) % settings.evaluate_every == 0):
                wrapped.eval()
                log.accuracy(step + 1, held_out(wrapped, accelerator.device))
                wrapped.train()
                done = done or settings.reached(log.last_accuracy)
            if done or (step + 1) % settings.checkpoint_every == 0:
                checkpoints.save(step + 1)
            if done:
                break
    state: dict[str, Tensor] = accelerator.get_state_dict(wrapped)
    main = accelerator.is_main_process
    # Left to the interpreter's end, its threads now and then abort a process that has done its work.
    accelerator.wait_for_everyone()
    processes().destroy_process_group()
    return state if main else None


def processes() -> PartialState:
    """The processes that train together, and this one's device."""
    return PartialState(cpu=not torch.accelerator.is_available())


def _open_accelerator() -> Accelerator:
    # What `accelerate launch` was told goes first.
    told = "ACCELERATE_MIXED_PRECISION" in os.environ
    precision = None if told else "bf16" if has_bf16() else "no"
    state = processes()
    accelerator = Accelerator(mixed_precision=precision, step_scheduler_with_optimizer=False)
    sharded = os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"
    if sharded and state.distributed_type == DistributedType.MULTI_CPU:
        # `accelerate` shards over GPUs alone, though torch can over CPUs; there it would train whole copies.
        accelerator.state.distributed_type = state.distributed_type = DistributedType.FSDP
        accelerator.state.fsdp_plugin = FullyShardedDataParallelPlugin()
    return accelerator


def _read_ahead(read_step: Callable[[int], list[Part]], steps: range) -> Iterator[tuple[int, list[Part]]]:
    """Each step and its batch, which is read while the one before is learned."""
    with ThreadPoolExecutor(1) as reader:
        coming = [reader.submit(read_step, step) for step in steps[:1]]
        for step in steps:
            batch = coming.pop().result()
            if step + 1 in steps:
                coming.append(reader.submit(read_step, step + 1))
            yield step, batch


def _learn(accelerator: Accelerator, wrapped: nn.Module, batch: Sequence[Part]) -> tuple[float, int]:
    """Gradients of the mean loss over all processes' parts; that loss, and the tokens read."""
    sizes = torch.tensor([sum(p.weight for p in batch), sum(p.tokens for p in batch)], device=accelerator.device)
    weight, tokens = accelerator.reduce(sizes).tolist()
    total = torch.zeros((), device=accelerator.device)
    for number, part in enumerate(batch):
        last = number == len(batch) - 1
        with nullcontext() if last else accelerator.no_sync(wrapped), _fast_attention(accelerator.device):
            inputs = {key: value.to(accelerator.device) for key, value in part.inputs.items()}
            loss = wrapped(**inputs).sum() / weight
            # Gradients are averaged over processes, and the loss is a sum over them.
            accelerator.backward(loss * accelerator.num_processes)
        total += loss.detach()
    return float(accelerator.reduce(total)), int(tokens)


def has_bf16() -> bool:
    """Whether bfloat16 is native here: on a GPU since Ampere, on a CPU with AVX-512 BF16 or AMX."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def _fast_attention(device: torch.device) -> AbstractContextManager[Any]:
    """The default attention kernel is several times slower backwards on a CPU."""
    return sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else nullcontext()


def _only_trained(models: list[nn.Module], weights: list[dict[str, Tensor]], folder: str) -> None:
    """A checkpoint leaves out what training does not change: adapters of a large model stay small."""
    for model, state in zip(models, weights, strict=False):
        frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
        for name in frozen & state.keys():
            del state[name]


def _digests(folder: Path) -> dict[str, str]:
    """A hash of every file of a checkpoint but the list of these hashes itself."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != _DIGESTS)
    found = {}
    for path in files:
        with path.open("rb") as file:
            found[str(path.relative_to(folder))] = hashlib.file_digest(file, "blake2b").hexdigest()[:32]
    return found


def _is_whole(folder: Path) -> bool:
    try:
        written = json.loads((folder / _DIGESTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(written == _digests(folder))


class _Checkpoints:
    """`checkpoints/step-000100` and so on: each appears whole or not at all, and a damaged one is passed over."""

    def __init__(self, accelerator: Accelerator, folder: Path) -> None:
        self._accelerator, self._folder = accelerator, folder / "checkpoints"

    def resume(self) -> int:
        """Load the newest whole checkpoint; the number of steps that it has behind it."""
        if self._accelerator.is_main_process:
            for path in self._all():
                if not _is_whole(path):
                    _log.warning("%s is damaged: going on from the one before", path)
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
        except (OSError, RuntimeError, SafetensorError) as error:  # each library tells a full disk in its own way
            shutil.rmtree(part, ignore_errors=True)
            free = shutil.disk_usage(self._folder).free / 1e6
            raise UserError(f"cannot write {path}: {str(error).splitlines()[0]} ({free:.1f} MB are free)") from error
        self._accelerator.wait_for_everyone()
        if self._accelerator.is_main_process:
            (part / _DIGESTS).write_text(json.dumps(_digests(part)), encoding="utf-8")
            os.replace(part, path)
            for old in self._all()[:-_KEPT]:
                shutil.rmtree(old)
        self._accelerator.wait_for_everyone()

    def _all(self) -> list[Path]:
        return sorted(self._folder.glob("step-*"))
