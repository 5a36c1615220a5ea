from __future__ import annotations

import json
from pathlib import Path

from lcl_lab.dashboard import read_sweep_trials
from lcl_lab.dashboard.sweep_trials import split_name, sweep_folders, trainings_by_run


def write_mark(folder: Path, name: str, **mark: object) -> None:
    (folder / "trials").mkdir(parents=True, exist_ok=True)
    (folder / "trials" / f"{name}.json").write_text(json.dumps(mark))


def test_a_training_has_its_strategy_and_the_name_of_its_options(tmp_path: Path) -> None:
    write_mark(tmp_path, "2-way-seed-0-126ebd", runs=["shots/x"], steps=2, setting={"lora": 4}, seconds=3.5)
    write_mark(tmp_path, "mini_mix-seed-1", runs=["shots/y"])
    write_mark(tmp_path, "torn", runs=3)
    (tmp_path / "trials" / "half.json").write_text("{")
    evaluated, trained = sorted(read_sweep_trials(tmp_path), key=lambda trial: trial.strategy)
    assert (trained.strategy, trained.combination) == ("2-way", "2-way-126ebd")
    assert (trained.setting, trained.seconds) == ({"lora": 4}, 3.5)
    assert evaluated.name == "mini_mix-seed-1" and evaluated.strategy == ""
    assert trainings_by_run([trained, evaluated]) == {("shots/x", "2-way-seed-0-126ebd"): trained}


def test_names_without_a_seed_stay_whole() -> None:
    assert split_name("a-seed-1-seed-12") == ("a-seed-1", "a-seed-1")
    assert split_name("mini/2-way") == ("mini/2-way", "mini/2-way")


def test_a_folder_outside_is_no_sweep(tmp_path: Path) -> None:
    for folder in (tmp_path / "elsewhere", tmp_path / "results" / "sweeps" / "inside"):
        folder.mkdir(parents=True)
        (folder / "events.jsonl").write_text("")
    (tmp_path / "results" / "sweeps" / "linked").symlink_to(tmp_path / "elsewhere")
    assert [folder.name for folder in sweep_folders(tmp_path / "results")] == ["inside"]
