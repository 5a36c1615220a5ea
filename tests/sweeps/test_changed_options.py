from __future__ import annotations

from pathlib import Path

import pytest

from lcl_lab.sweeps import SweepConfig, SweepPaths
from lcl_lab.sweeps.trial import Trial
from lcl_lab.sweeps.trial_worker import run_trial

pytestmark = pytest.mark.attack

STRATEGY = """
from lcl_lab.strategies import Stage, Strategy

def load():
    return Strategy("two", start="2-way", stages=(Stage(2, 2, lambda data, rng: data.links.draw(rng, shots={shots})),))
"""


def trial(folder: Path, steps: int = 2, queries: int | None = None) -> Trial:
    studies = [{"study": "false_ratio", "preset": "tiny", "queries": queries}] if queries else []
    config = SweepConfig.create(
        strategies=[str(folder / "two.py")],
        train={"preset": "tiny", "steps": steps, "batch": 2},
        studies=studies,
        results=folder / "results",
    )
    return config.trials()[0]


@pytest.mark.slow
def test_changed_parts_of_a_trial_run_again_and_unchanged_ones_do_not(tmp_path: Path) -> None:
    (tmp_path / "two.py").write_text(STRATEGY.format(shots=2))
    paths = SweepPaths.of("sweep", tmp_path / "results")
    reports: list[str] = []

    def run(changed: Trial) -> list[str]:
        reports.clear()
        assert not paths.is_finished(changed.name, changed.options)
        run_trial(changed, paths, lambda line: reports.append(line["doing"]))
        assert paths.is_finished(changed.name, changed.options)
        return list(dict.fromkeys(reports))

    assert run(trial(tmp_path)) == ["training"]
    assert run(trial(tmp_path, queries=4)) == ["false_ratio"]  # the model is there
    assert run(trial(tmp_path, steps=3, queries=4)) == ["training", "false_ratio"]
    (tmp_path / "two.py").write_text(STRATEGY.format(shots=4))
    assert run(trial(tmp_path, steps=3, queries=4)) == ["training", "false_ratio"]
    finished = trial(tmp_path, steps=3, queries=4)
    assert paths.is_finished(finished.name, finished.options)
