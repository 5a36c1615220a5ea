"""Another kernel of linear layers must be chosen only where it is as exact, and must not reach training."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from lcl_lab.models.engine import linear_kernel
from lcl_lab.models.engine.linear_kernel import fewest_rows, linear_kernels, use_fastest_linear


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    fewest_rows.cache_clear()
    yield
    fewest_rows.cache_clear()


def with_kernel(monkeypatch: pytest.MonkeyPatch, kernel: Callable[..., Tensor]) -> None:
    """Let the other kernel be this one, and faster."""
    monkeypatch.setattr(linear_kernel, "_onednn", kernel)
    monkeypatch.setattr(
        linear_kernel, "linear_kernels", lambda: {"torch": nn.functional.linear, "onednn": linear_kernel._onednn}
    )
    monkeypatch.setattr(linear_kernel, "_is_faster", lambda *_: True)


def test_a_faster_kernel_in_a_lower_precision_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with_kernel(monkeypatch, lambda given, weight, bias=None: (given.bfloat16() @ weight.bfloat16().T).float())
    assert fewest_rows(64, 64, 1) is None
    with_kernel(monkeypatch, nn.functional.linear)
    fewest_rows.cache_clear()
    assert fewest_rows(64, 64, 1) == 16


def test_a_kernel_is_used_from_the_number_of_rows_on_where_it_is_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    with_kernel(monkeypatch, nn.functional.linear)
    monkeypatch.setattr(linear_kernel, "_is_faster", lambda kernels, given, weight: len(given) > 100)
    assert fewest_rows(64, 64, 1) == 128


def test_inference_with_many_rows_uses_it_and_training_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    rows_seen: list[int] = []

    def kernel(given: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        rows_seen.append(given.shape[:-1].numel())
        return nn.functional.linear(given, weight, bias)

    with_kernel(monkeypatch, kernel)
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8).bfloat16())
    use_fastest_linear(model)
    rows_seen.clear()
    given = torch.randn(4, 5, 8)
    with torch.inference_mode():
        expected = model[0](given)
        model[0](given[:3])
        model[1](given.bfloat16())
    assert rows_seen == [20]
    assert torch.equal(model[0](given), expected)
    model[0](given).sum().backward()
    assert model[0].weight.grad is not None
    assert rows_seen == [20]


@pytest.mark.skipif("onednn" not in linear_kernels(), reason="torch was built without oneDNN")
def test_kernels_of_this_machine_agree_unless_the_trial_refuses_one() -> None:
    given, weight, bias = torch.randn(3, 40, 32), torch.randn(24, 32), torch.randn(24)
    with torch.inference_mode():
        for size in (given, given[:, ::2], given[:1, :1]):
            for of_layer in (bias, None):
                expected, computed = (kernel(size, weight, of_layer) for kernel in linear_kernels().values())
                assert computed.shape == expected.shape
                if linear_kernel._is_exact(linear_kernels(), given.flatten(0, 1), weight):
                    assert torch.allclose(computed, expected, atol=1e-4)
