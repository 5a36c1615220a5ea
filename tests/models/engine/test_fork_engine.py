from __future__ import annotations

from types import SimpleNamespace

import torch

from lcl_lab.models.engine.fork_engine import select_rows


def test_rows_of_every_tensor_are_selected_and_may_be_repeated() -> None:
    keys = torch.arange(12.0).view(3, 2, 2)
    cache = SimpleNamespace(layers=[SimpleNamespace(keys=keys, states={0: keys + 1}, window=torch.tensor(4))], size=7)
    copied = select_rows(cache, torch.tensor([2, 0, 0]), 3)
    assert torch.equal(copied.layers[0].keys, keys[[2, 0, 0]])
    assert torch.equal(copied.layers[0].states[0], keys[[2, 0, 0]] + 1)
    assert (copied.layers[0].window, copied.size) == (4, 7)
    copied.layers[0].keys.zero_()
    assert keys.sum() > 0


def test_the_axes_of_position_ids_are_not_their_rows() -> None:
    """With three axes and three rows, both dimensions have the same length."""
    cache = SimpleNamespace(indexer_position_ids=torch.arange(18).view(3, 3, 2))
    copied = select_rows(cache, torch.tensor([1]), 3)
    assert torch.equal(copied.indexer_position_ids, cache.indexer_position_ids[:, [1]])
