from __future__ import annotations

from pathlib import Path

import pytest
from filelock import FileLock

from lcl_lab.errors import UserError
from lcl_lab.sweep import main
from lcl_lab.sweeps import read_sweep

STUDIES = Path(__file__).parents[2] / "studies"


def written(folder: Path, text: str) -> Path:
    (folder / "grid.yaml").write_text(text)
    return folder / "grid.yaml"


@pytest.mark.parametrize("file", sorted(STUDIES.glob("*_grid.yaml")), ids=lambda file: file.stem)
def test_the_sweeps_of_the_package_can_be_run(file: Path) -> None:
    sweep = read_sweep(file)
    trials = list(sweep.trials())
    assert len(trials) == len(sweep.strategies) * len(sweep.seeds)
    assert f"#   python -m lcl_lab.sweep studies/{file.name}\n" in file.read_text(encoding="utf-8")


def test_a_trial_is_two_command_lines_that_users_know(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "strategies: [mix]\nseeds: [3]\ntrain: {every_answer: true, steps: 5}\n"
        "studies: [{study: false_ratio, ratios: [0, 1]}]\ncpu: 2\n",
    )
    (trial,) = read_sweep(file).trials()
    own = ["--strategy", "mix", "--seed", "3", "--out", "out", "--threads", "2"]
    assert trial.training(Path("out")) == [*own, "--every-answer", "--steps", "5"]
    ((study, given),) = trial.evaluations(Path("out"), Path("results"))
    assert study == "false_ratio"
    assert given == ["--model", "mix-seed-3=out", "--results", "results", "--ratios", "0", "1"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("strategy: [2-way]", r"unknown key 'strategy'; did you mean 'strategies'\?"),
        ("strategies: []", "strategies: "),
        ("strategies: [2way]", "unknown strategy; did you mean '2-way'"),
        ("strategies: [2-way, 2-way]", "give each once"),
        ("strategies: [2-way]\nseeds: 0", r"seeds: give a list, as in \[0, 1\]"),
        ("strategies: [2-way]\nseeds: [-1]", "seed: -1: the least is 0"),
        ("strategies: [2-way]\ntrain: {stepz: 4}", "unknown option stepz; did you mean 'steps'"),
        ("strategies: [2-way]\ntrain: {out: x}", "out is the sweep's to decide"),
        ("strategies: [2-way]\nstudies: [{study: shot}]", "unknown study 'shot'; did you mean 'shots'"),
        ("strategies: [2-way]\nstudies: [{study: shots, queries: many}]", "queries many: "),
        ("strategies: [2-way]\nstudies: [{study: shots, model: x}]", "model is the sweep's to decide"),
        ("strategies: [2-way]\ncpu: 0", "cpu: input should be greater"),
        ("- 2-way", "must be `key: value` lines"),
        ("a: [", "not YAML"),
    ],
)
def test_what_is_wrong_is_one_line_with_the_file(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=told) as error:
        read_sweep(written(tmp_path, text))
    assert str(error.value).startswith(f"{tmp_path / 'grid.yaml'}: ")
    assert "\n" not in str(error.value)


def test_a_second_driver_is_refused_and_a_lock_that_nobody_holds_is_none(tmp_path: Path) -> None:
    file = written(tmp_path, "strategies: [2-way]\ntrain: {preset: tiny}\n")
    folder = tmp_path / "results" / "sweeps" / "grid"
    (folder / "trials").mkdir(parents=True)
    (folder / "trials" / "2-way-seed-0.json").write_text("{}")
    arguments = [str(file), "--results", str(tmp_path / "results")]
    with FileLock(folder / "sweep.lock"), pytest.raises(UserError, match="another process runs this sweep"):
        main(arguments)
    assert (folder / "sweep.lock").exists()
    main(arguments)  # its only trial is finished
