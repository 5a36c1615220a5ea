"""Chooses the kernel of linear layers on a CPU by a trial: oneDNN's where it is faster than torch's and as exact.

Which one is faster depends on the CPU, on the size of a layer and on the number of rows. Both compute in single
precision; a CPU on which oneDNN computes in a lower one fails the trial.

M rows, K inputs and N outputs of a layer.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import cache, partial

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["fewest_rows", "linear_kernels", "use_fastest_linear"]

Linear = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""Input (…, K), weight (N, K) and bias (N,) → (…, N)."""

_ROWS = (512, 128, 16)  # for which the kernels are timed
_LARGEST = 512  # inputs and outputs of the layer of a trial; larger layers behave like it
_REPEATS = 5
_GAIN = 0.92  # share of the time of torch's kernel that another may take to be worth a difference of rounding errors
_ERROR = 8  # its rounding errors, as a multiple of those of torch's kernel

_log = logging.getLogger(__name__)


def use_fastest_linear(model: nn.Module) -> None:
    """Let the linear layers of a model use the fastest kernel in inference.

    Args:
        model: a model in any precision and on any device; other layers than those in single precision on a CPU remain.
    """
    for module in model.modules():
        if type(module) is nn.Linear and module.weight.device.type == "cpu" and module.weight.dtype == torch.float32:
            sizes = (_rounded(module.in_features), _rounded(module.out_features))
            rows = fewest_rows(*sizes, torch.get_num_threads())
            if rows is not None:
                module.forward = partial(_forward, module, rows)  # type: ignore[method-assign]


@cache
def fewest_rows(inputs: int, outputs: int, threads: int) -> int | None:
    """The number of rows from which on oneDNN's kernel is faster; None if it never is, or is not exact.

    Args:
        inputs: K.
        outputs: N.
        threads: number of threads of torch.
    """
    kernels = linear_kernels()
    if "onednn" not in kernels:
        return None
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(outputs, inputs, generator=generator)
    fewest = None
    with torch.inference_mode():
        for rows in _ROWS:
            given = torch.randn(rows, inputs, generator=generator)
            if not _is_exact(kernels, given, weight) or not _is_faster(kernels, given, weight):
                break
            fewest = rows
    _log.debug("layers of %d × %d use oneDNN from %s rows on, with %d threads", inputs, outputs, fewest, threads)
    return fewest


def linear_kernels() -> dict[str, Linear]:
    """The kernels of this machine by name: "torch", and "onednn" if there is one.

    The public setting for oneDNN, `torch.backends.mkldnn.matmul.fp32_precision`, also changes matrix products within
    attention, which become several times slower.
    """
    kernels: dict[str, Linear] = {"torch": functional.linear}
    if torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        kernels["onednn"] = _onednn
    return kernels


def _onednn(given: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    computed: Tensor = torch.ops.mkldnn._linear_pointwise(given, weight, bias, "none", [], "")
    return computed


def _forward(module: nn.Linear, rows: int, input: Tensor) -> Tensor:
    """The forward of a layer: oneDNN's kernel has no gradients."""
    if torch.is_inference_mode_enabled() and input.numel() >= rows * module.in_features:
        return _onednn(input, module.weight, module.bias)
    return functional.linear(input, module.weight, module.bias)


def _rounded(size: int) -> int:
    """The next power of two, so that few sizes are tried."""
    return min(_LARGEST, 1 << (size - 1).bit_length())


def _is_exact(kernels: dict[str, Linear], given: Tensor, weight: Tensor) -> bool:
    exact = given[-_ROWS[-1] :].double() @ weight.double().T
    errors = {
        name: float((kernel(given, weight, None)[-len(exact) :] - exact).abs().max())
        for name, kernel in kernels.items()
    }
    return errors["onednn"] <= _ERROR * errors["torch"]


def _is_faster(kernels: dict[str, Linear], given: Tensor, weight: Tensor) -> bool:
    seconds = dict.fromkeys(kernels, float("inf"))
    for _ in range(_REPEATS):
        for name, kernel in kernels.items():
            started = time.perf_counter()
            kernel(given, weight, None)
            seconds[name] = min(seconds[name], time.perf_counter() - started)
    return seconds["onednn"] < _GAIN * seconds["torch"]
