"""A model that is kept is loaded once for runs on the same data with the same settings, and again for others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from lcl_lab import evaluation
from lcl_lab.evaluation import Design, keep_loaded
from lcl_lab.evaluation.loaded_models import load_for, stays_loaded
from lcl_lab.models import find_checkpoint, load_model

BASE, PROTOTYPE = find_checkpoint("mini/base"), find_checkpoint("mini/prototype")


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names of the models that are loaded."""
    names: list[str] = []

    def count(checkpoint: Any, *arguments: Any, **options: Any) -> Any:
        names.append(checkpoint.name)
        return load_model(checkpoint, *arguments, **options)

    monkeypatch.setattr("lcl_lab.models.load_model", count)
    yield names


def design(data: str | None = "world-100") -> Design:
    identity = {} if data is None else {"data": {"name": data, "fingerprint": data}}
    return evaluation.Design([], lambda ref: pytest.fail(str(ref)), identity)


def load(checkpoint: Any = BASE, data: str | None = "world-100", batch_size: int = 4) -> Any:
    return load_for(design(data), checkpoint, batch_size, "auto", False, True)


def test_the_same_use_shares_a_model_and_another_one_does_not(loads: list[str]) -> None:
    with keep_loaded("mini/base"):
        first = load()
        assert load() is first
        assert stays_loaded(design(), BASE, 4, "auto")
        assert load(batch_size=2) is not first
        assert load(data="isekai-mini") is not load(data="isekai-mini", batch_size=2)
        assert not stays_loaded(design(), BASE, 4, "auto")
        assert load(replace(BASE, fingerprint="other")) is not load()
    assert loads == ["mini/base"] * 6


def test_other_models_and_designs_without_a_dataset_are_loaded_each_time(loads: list[str]) -> None:
    load(PROTOTYPE)
    load(PROTOTYPE)
    with keep_loaded("mini/base"):
        assert load(PROTOTYPE) is not load(PROTOTYPE)
    with keep_loaded("mini/prototype"):
        assert load(PROTOTYPE, data=None) is not load(PROTOTYPE, data=None)
    assert len(loads) == 6
