from __future__ import annotations

from pathlib import Path

import pytest

from lcl_lab import store
from lcl_lab.studies import EvaluatedTrial, numbered_studies, trial_sections
from tests.studies.test_sweep_sections import records


def test_each_study_has_a_section_over_the_trainings_of_each_strategy(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"{strategy}-seed-{seed}" for strategy in ("mix", "2-way") for seed in (0, 1)]
    frame = records(dict.fromkeys([*names, "mini/prototype"], 0.5))
    read: list[Path] = []
    monkeypatch.setattr(store, "read_run", lambda run: (read.append(run), frame)[1])
    runs = tuple(Path(study) / "run" for study in ("shots", "false_ratio", "shots"))
    trials = [EvaluatedTrial(name, runs, name.partition("-seed-")[0]) for name in names]
    sections = list(trial_sections(trials, ", with the best options"))
    assert [section.heading for section in sections] == [
        f"{study}, with the best options" for study in ("shots, 1 of 2", "false_ratio", "shots, 2 of 2")
    ]
    assert [section.name for section in sections] == ["accuracy-1", "accuracy-2", "accuracy-3"]
    assert set(sections[0].tables[0].frame["model"]) == {"mix (2 trainings)", "2-way (2 trainings)"}
    assert read == [run for run in runs for _ in trials]


def test_models_are_shown_by_the_dataset_as_the_sweep_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = records({"x": 0.5, "mini/prototype": 1.0})
    monkeypatch.setattr(store, "read_run", lambda run: frame)
    (section,) = trial_sections([EvaluatedTrial("x", (Path("shots/run"),), data="folder:photos")])
    assert set(section.tables[0].frame["data"]) == {"folder:photos"}
    assert set(section.tables[0].frame["model"]) == {"x"}


def test_without_trials_there_is_nothing_to_say() -> None:
    assert list(trial_sections([])) == []
    assert numbered_studies(["shots", "order"]) == ["shots", "order"]
