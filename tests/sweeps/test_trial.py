from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lcl_lab.errors import UserError
from lcl_lab.models.checkpoint import shipped_folder
from lcl_lab.sweeps import EvaluationTrial, SweepConfig, TrainingTrial, check_sweep
from lcl_lab.sweeps.trial import evaluation_names

SHOTS = {"study": "shots", "preset": "tiny"}


def test_a_missing_logger_is_reported_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lcl_lab.sweeps.trial.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"loggers wandb: is not installed; uv sync --extra wandb"):
        check_sweep(SweepConfig.create(strategies="2-way", loggers="wandb"))


def test_parameters_of_a_trial_name_its_strategy_and_seed() -> None:
    (trial,) = SweepConfig.create(strategies="folder/mine.py", seeds=4).trials()
    assert trial.parameters == {"name": "mine-seed-4", "strategy": "mine", "seed": 4}
    assert isinstance(trial, TrainingTrial)
    assert trial.training.strategy == "folder/mine.py"


def test_trials_of_models_are_models_times_datasets_times_seeds() -> None:
    config = SweepConfig.create(
        models=["mini/base", "two=mini/2-way"], data=["world-100", "isekai-mini"], seeds=[0, 3], studies=[SHOTS]
    )
    trials = check_sweep(config)
    assert [trial.name for trial in trials[:4]] == [
        "mini_base-world-100-seed-0",
        "mini_base-world-100-seed-3",
        "mini_base-isekai-mini-seed-0",
        "mini_base-isekai-mini-seed-3",
    ]
    last = trials[-1]
    assert isinstance(last, EvaluationTrial)
    assert last.parameters == {
        "name": "two-isekai-mini-seed-3",
        "model": "two=mini/2-way",
        "data": "isekai-mini",
        "seed": 3,
    }
    assert (last.recorded_as, last.stages) == ("two", ("shots",))
    ((study, options),) = last.evaluations_of(Path("unused"), Path("results"))
    expected = study.config.create(
        "tiny", model=("two=mini/2-way",), data="isekai-mini", seed=3, results=Path("results")
    )
    assert options == expected


def test_names_of_trials_are_folders_that_differ() -> None:
    long = "x" * 300
    pairs = [("a/b", ""), ("a_b", ""), ("A_B", ""), ("a", "b-c"), ("a-b", "c"), (f"/{long}/one", "d"), ("../..", "e")]
    names = evaluation_names(pairs)
    assert len({name.casefold() for name in names}) == len(pairs)
    assert all("/" not in name and len(name) < 150 and not name.startswith(".") for name in names)
    assert evaluation_names([("mini/2-way", "world-100")]) == ["mini_2-way-world-100"]


def test_the_digest_of_a_trial_changes_with_model_data_and_options(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(shipped_folder() / "base", folder)
    (folder / "card.json").unlink()  # it states the fingerprint

    def digest(**options: object) -> str:
        study = {**SHOTS, **{name: value for name, value in options.items() if name not in ("data", "seeds")}}
        sweep = {name: value for name, value in options.items() if name in ("data", "seeds")}
        (trial,) = check_sweep(SweepConfig.create(models=f"mine={folder}", studies=[study], **sweep))
        return trial.options

    first = digest()
    assert digest(batch_size=2) == first
    changed = [digest(queries=4), digest(data=["isekai-mini"]), digest(seeds=[1])]
    config = folder / "generation_config.json"
    config.write_text(config.read_text().replace("{", '{"note": 1, ', 1))
    assert len({first, *changed, digest()}) == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"models": ["mini/bass"]}, "models mini/bass: unknown model, and no such folder; did you mean 'mini/base'?"),
        ({"models": ["a=mini/base", "a=mini/2-way"]}, "models: two models are named a; name one of them, as NAME=PATH"),
        ({"data": ["moon"]}, "data moon: unknown dataset"),
        ({"studies": [{**SHOTS, "data": "moon"}]}, "studies: shots: data moon: unknown dataset"),
        ({"studies": [{**SHOTS, "revision": "x"}]}, "studies: shots: revision x: mini/base is not on the hub"),
        ({"models": ["openai:x"]}, "models openai:x: needs base_url, such as http"),
    ],
)
def test_models_and_data_are_checked_before_anything_starts(options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError) as error:
        check_sweep(SweepConfig.create(**{"models": ["mini/base"], "studies": [SHOTS], **options}))
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)
