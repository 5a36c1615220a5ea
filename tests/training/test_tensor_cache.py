from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from lcl_lab.training.tensor_cache import cached, digest


def test_tensors_are_computed_once_and_a_damaged_file_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCL_LAB_CACHE", str(tmp_path / "new" / "cache"))
    calls = []

    def compute() -> dict[str, Tensor]:
        calls.append(1)
        return {"x": torch.arange(6).reshape(2, 3).T}

    for expected in (1, 1):
        assert torch.equal(cached("test", "key", compute)["x"], torch.arange(6).reshape(2, 3).T)
        assert len(calls) == expected
    (file,) = (tmp_path / "new" / "cache").iterdir()
    file.write_bytes(b"damaged")
    cached("test", "key", compute)
    assert len(calls) == 2


def test_digests_depend_on_all_parts() -> None:
    parts = [("a", "b"), ("ab",), ("a", torch.ones(2)), ("a", torch.zeros(2))]
    assert len({digest(*values) for values in parts}) == len(parts)
