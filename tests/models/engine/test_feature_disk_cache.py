from __future__ import annotations

from pathlib import Path

import torch

from lcl_lab.models.engine.feature_disk_cache import FeatureDiskCache
from lcl_lab.models.engine.vision_cache import EncodedImage


def test_features_on_disk_are_bounded(tmp_path: Path) -> None:
    store = FeatureDiskCache("it", "cpu", str(tmp_path), size=10_000_000)
    for number in range(400):
        store.put({str(number): vars(EncodedImage((1,), torch.zeros(64, 256)))})
    assert sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file()) < 20_000_000
    assert list(store.get(["0", "399"])) == ["399"]


def test_entries_return_as_they_were_stored(tmp_path: Path) -> None:
    store = FeatureDiskCache("it", "cpu", str(tmp_path))
    deep = (torch.ones(2, 3), torch.zeros(2, 3))
    entry = EncodedImage((5, 6), torch.rand(2, 3), deep, torch.tensor([[1, 2, 2]]), (0, 1), tiles=3)
    store.put({"digest": vars(entry)})
    loaded = FeatureDiskCache("it", "cpu", str(tmp_path)).get(["digest", "another"])
    assert list(loaded) == ["digest"]
    assert loaded["digest"]["ids"] == (5, 6)
    assert torch.equal(loaded["digest"]["features"], entry.features)
    assert all(torch.equal(a, b) for a, b in zip(loaded["digest"]["deep"], deep, strict=True))
    assert loaded["digest"]["grid"].tolist() == [[1, 2, 2]]
    assert (loaded["digest"]["types"], loaded["digest"]["tiles"]) == ((0, 1), 3)
