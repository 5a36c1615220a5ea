from __future__ import annotations

from pathlib import Path

import pytest

import lcl_lab as lcl
from lcl_lab.strategies import Stage
from lcl_lab.sweeps.registrations import Registrations


@pytest.mark.slow
def test_what_is_registered_here_is_used_by_the_workers(tmp_path: Path) -> None:
    """A strategy from a notebook: its functions exist in no module that a worker could import."""
    shots = 3

    def draw(data, rng):  # type: ignore[no-untyped-def]
        return data.links.draw(rng, shots=shots)

    lcl.register_strategy(lcl.Strategy("three-shots", start="2-way", stages=(Stage(4, 4, draw),)))
    assert "three-shots" in Registrations().strategies
    result = lcl.run_sweep(
        strategies=["three-shots"],
        train={"preset": "tiny"},
        studies=[{"study": "false_ratio", "preset": "tiny", "queries": 4}],
        results=tmp_path,
    )
    assert result.trials["status"].tolist() == ["finished"]
    assert "three-shots-seed-0" in set(result.records["model"])
