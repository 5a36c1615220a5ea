from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lcl_lab import run_sweep, studies
from lcl_lab.errors import UserError
from lcl_lab.sweeps import Stopping, SweepConfig, TrainingTrial, check_sweep

RANDOM = "strategies: [2-way]\nsearch: {trials: 2}\n"
STUDIES = Path(__file__).parents[2] / "studies"


def write(folder: Path, text: str) -> Path:
    (folder / "grid.yaml").write_text(text)
    return folder / "grid.yaml"


@pytest.mark.parametrize("file", sorted(STUDIES.glob("*_grid.yaml")), ids=lambda file: file.stem)
def test_the_sweeps_of_the_package_are_possible(file: Path) -> None:
    config = SweepConfig.from_file(file)
    assert config.name == file.stem
    varied = len(config.strategies) or len(config.models) * len(config.data or [""])
    trials = config.search.trials if config.search else 1
    assert config.count == varied * len(config.seeds) * (trials or 1)
    assert len(check_sweep(config)) == (0 if config.is_suggested else config.count)
    assert f"#   python -m lcl_lab.sweep studies/{file.name}\n" in file.read_text(encoding="utf-8")


def test_a_trial_has_the_configurations_of_its_training_and_studies(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "strategies: [mix]\nseeds: [3]\ntrain: {preset: tiny, every_answer: true, steps: 5}\n"
        "studies: [{study: false_ratio, preset: tiny, ratios: [0, 1]}, shots]\ncpu: 2\n",
    )
    (trial,) = SweepConfig.from_file(file).trials()
    assert isinstance(trial, TrainingTrial)
    training = trial.training_in(Path("out"))
    assert (training.strategy, training.seed, training.out, training.threads) == ("mix", 3, Path("out"), 2)
    assert (training.every_answer, training.steps, training.data) == (True, 5, "world-dev")
    (study, config), (other, _) = trial.evaluations_of(Path("out"), Path("results"))
    assert (study.name, other.name) == ("false_ratio", "shots")
    expected = study.config.create("tiny", ratios=(0.0, 1.0), model=("mix-seed-3=out",), results=Path("results"))
    assert config == expected


def test_options_take_precedence_over_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, "strategies: [mix]\nseeds: [3]\ncpu: 2\nstopping: {first: 10}\n")
    config = SweepConfig.from_file(file, seeds=[0, 1], name="other", storage="s3://bucket/folder")
    assert (config.seeds, config.cpu, config.name, config.storage) == ((0, 1), 2, "other", "s3://bucket/folder")
    assert config.stopping == Stopping(first=10)
    assert SweepConfig.from_file(write(tmp_path, "name: mine\nstrategies: mix")).name == "mine"


def test_a_study_may_be_an_object() -> None:
    shots = studies.find_study("shots")
    config = SweepConfig.create(strategies="mix", studies=[shots, {"study": shots, "queries": 4}])
    (trial,) = config.trials()
    assert [study for study, _ in trial.evaluations] == [shots, shots]
    assert trial.evaluations[1][1].queries == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("strategy: [2-way]", "strategy: unknown option; did you mean 'strategies'?"),
        ("seeds: [0]", "strategies: is required"),
        ("strategies: []", "strategies: needs at least 1 values"),
        ("strategies: [2way]", "strategies 2way: unknown strategy; did you mean '2-way'?"),
        ("strategies: [2-way, 2-way]", "strategies 2-way 2-way: must not repeat a value"),
        ("strategies: [a/x.py, b/x.py]", "strategies: two strategies are named x; rename one of the files"),
        ("strategies: [2-way]\nname: a/b", "name a/b: must be a folder name"),
        ("strategies: [2-way]\nseeds: zero", "seeds zero: must be an integer"),
        ("strategies: [2-way]\nseeds: [-1]", "seeds -1: must be at least 0"),
        ("strategies: [2-way]\ntrain: {stepz: 4}", "train: stepz: unknown option; did you mean 'steps'?"),
        ("strategies: [2-way]\ntrain: {steps: 0}", "train: steps 0: must be at least 1"),
        ("strategies: [2-way]\ntrain: {preset: huge}", "train: preset huge: unknown preset"),
        ("strategies: [2-way]\ntrain: {data: world-90}", "train: data world-90: unknown dataset"),
        ("strategies: [2-way]\ntrain: {out: x}", "train: out: is set by the sweep; models are stored in"),
        ("strategies: [2-way]\nstudies: [{study: shot}]", "studies: study shot: unknown study; did you mean 'shots'?"),
        ("strategies: [2-way]\nstudies: [{queries: 1}]", "studies: each needs a study"),
        ("strategies: [2-way]\nstudies: [{study: shots, queries: many}]", "studies: shots: queries many: must be an"),
        ("strategies: [2-way]\nstudies: [{study: shots, model: x}]", "studies: shots: model: is set by the sweep; "),
        ("strategies: [2-way]\nstudies: [{study: shots, data: moon}]", "studies: shots: data moon: unknown dataset"),
        ("strategies: [2-way]\nstopping: {first: 0}", "stopping: first 0: must be at least 1"),
        ("strategies: [2-way]\nstopping: {frist: 9}", "stopping: frist: unknown option; did you mean 'first'?"),
        ("strategies: [2-way]\nmodels: [mini/base]", "models: a sweep has either strategies or models; remove one"),
        ("strategies: [2-way]\ndata: [world-100]", "data: is for models; give trainings and studies their own data"),
        ("models: []\nstudies: [shots]", "models: needs at least 1 values"),
        ("models: [mini/base]", "studies: is required in a sweep of models"),
        ("models: [mini/base]\nstudies: [shots]\ntrain: {steps: 1}", "train: is for strategies; a sweep of models"),
        ("models: [mini/base]\nstudies: [shots]\nstopping: {first: 1}", "stopping: is for strategies; a sweep of mod"),
        ("models: [mini/base]\nstudies: [{study: shots, seed: 1}]", "studies: shots: seed: is set by the sweep; list"),
        ("models: [a]\ndata: [b]\nstudies: [{study: shots, data: c}]", "studies: shots: data: is set by the sweep; l"),
        ("models: [a]\ndata: [b]\nstudies: [arithmetic]", "studies: arithmetic: it has no option data; leave out"),
        ("models: [mini/base]\nstudies: [{study: shots, model: x}]", "studies: shots: model: is set by the sweep; "),
        ("strategies: [2-way]\nloggers: [excel]", "loggers excel: must be one of 'mlflow' or 'wandb'"),
        ("strategies: [2-way]\ncpu: 0", "cpu 0: must be at least 1"),
        (
            "strategies: [2-way]\ntrain: {learning_rate: {loguniform: [0, 1e-3]}}",
            "train: learning_rate 0 0.001: loguni",
        ),
        ("strategies: [2-way]\ntrain: {lora: {choice: []}}", "train: lora: choice needs at least one value"),
        ("strategies: [2-way]\ntrain: {lora: {choise: [4]}}", "train: lora choise: unknown range; did you mean 'cho"),
        ("strategies: [2-way]\ntrain: {lora: {choice: 4}}", "train: lora 4: choice needs a list, such as [4, 8]"),
        ("strategies: [2-way]\ntrain: {lora: {grid: [4, 4]}}", "train: lora 4 4: grid must not repeat a value"),
        ("strategies: [2-way]\ntrain: {lora: {randint: [4, 4]}}", "train: lora 4 4: randint must have its least"),
        ("strategies: [2-way]\ntrain: {lora: {randint: [1.5, 4]}}", "train: lora 1.5 4: randint needs two integers"),
        ("strategies: [2-way]\ntrain: {lora: {choice: [4]}}", "search: is required, such as {method: random"),
        (f"{RANDOM}train: {{lora: {{uniform: [4, 8]}}}}", "train: lora 5.52786: must be an integer; use randint"),
        (f"{RANDOM}train: {{lora: {{randint: [0, 8]}}}}", "train: lora 0: must be at least 1"),
        (f"{RANDOM}train: {{lorra: {{randint: [1, 8]}}}}", "train: lorra: unknown option; did you mean 'lora'?"),
        (f"{RANDOM}train: {{seed: {{randint: [1, 8]}}}}", "train: seed: is set by the sweep; list it in seeds"),
        (f"{RANDOM}train: {{lora: {{choice: [4]}}}}", "search: trials 2: there are only 1 settings; a grid tries"),
        (f"{RANDOM}train: {{lora: {{grid: [4]}}}}", "search: trials: every value of a grid is tried; leave it"),
        (f"{RANDOM}train: {{lora: 4}}", "search: no option of train or of a study has a range, such as"),
        (f"{RANDOM}studies: [{{study: shots, queries: {{randint: [0, 2]}}}}]", "studies: shots: queries 0: must be at"),
        (f"{RANDOM}studies: [{{study: shots, queries: {{choice: []}}}}]", "studies: shots: queries: choice needs at"),
        (f"{RANDOM}studies: [{{study: {{choice: [shots]}}}}]", "studies: study: has no ranges; list several studies"),
        ("strategies: [2-way]\nsearch: {}\ntrain: {lora: {choice: [4]}}", "search: trials: is required"),
        ("strategies: [2-way]\nsearch: {trails: 2}", "search: trails: unknown option; did you mean 'trials'?"),
        ("strategies: [2-way]\nsearch: {method: tpe}", "search: method tpe: must be one of 'random' or 'optuna'"),
        (
            "strategies: [2-way]\nsearch: {method: optuna, trials: 2}\n"
            "train: {lora: {grid: [4]}, ways: {choice: [2, 3]}}",
            "search: method optuna: lora has a grid; use choice, since optuna does not try every value",
        ),
        ("models: [mini/base]\nstudies: [{study: shots, queries: {grid: [4]}}]", "search: is required, such as {metr"),
        ("- 2-way", "must contain `key: value` lines"),
        ("a: [", "not YAML"),
    ],
)
def test_a_mistake_is_one_line_with_the_file(text: str, message: str, tmp_path: Path) -> None:
    file = write(tmp_path, text)
    with pytest.raises(UserError) as error:
        run_sweep(file, results=tmp_path)
    assert str(error.value).startswith(f"{file}: {message}")
    assert "\n" not in str(error.value)


def test_a_mistake_in_an_option_does_not_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        SweepConfig.from_file(write(tmp_path, "strategies: [mix]\ncpu: 1\n"), cpu=0)
    assert (str(error.value), error.value.for_command_line()) == (
        "cpu 0: must be at least 1",
        "--cpu 0: must be at least 1",
    )


def test_the_configuration_imports_neither_ray_nor_torch() -> None:
    program = (
        "import sys; from lcl_lab.sweeps import SweepConfig; SweepConfig.create(strategies='mix');"
        "assert not {'ray', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
