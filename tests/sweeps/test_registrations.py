from __future__ import annotations

from pathlib import Path

import pytest

import lcl_lab as lcl
from lcl_lab.models import Answer, user_models
from lcl_lab.strategies import Stage
from lcl_lab.sweeps import SweepConfig, check_sweep
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


class Repeater:
    """A model of a notebook, which answers with the first candidate."""

    name, fingerprint, device = "repeater", "repeater-1", "cpu"

    def answer(self, prompts, image):  # type: ignore[no-untyped-def]
        yield from (Answer(prompt.candidates[0], (), 0.0) for prompt in prompts)


def test_only_the_registered_models_that_trials_evaluate_are_sent_to_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("repeater", "unused"):
        lcl.register_model(Repeater(), name)
    config = SweepConfig.create(models=["repeater", "mini/base"], studies=[{"study": "shots", "preset": "tiny"}])
    sent = Registrations.for_trials(check_sweep(config))
    assert list(sent.models) == ["repeater"]
    monkeypatch.setattr(user_models, "_registered", {})  # as in the process of a worker
    sent.restore()
    assert user_models.registered_model("repeater") is sent.models["repeater"]
