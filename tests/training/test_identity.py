from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lcl_lab.concepts import load_dataset
from lcl_lab.concepts.neighbours_file import write_neighbours
from lcl_lab.errors import UserError
from lcl_lab.strategies import Stage, Strategy, registry
from lcl_lab.training import TrainConfig, check_training
from lcl_lab.training.identity import is_trained_as, open_folder, training_identity
from tests.training.instruction_data import llava, write_list

STRATEGY = """
from lcl_lab.strategies import Stage, Strategy

def load():
    return Strategy("odd", "base", (Stage(5, 4, lambda data, rng: data.links.draw(rng, 3)),))
"""


def begin(folder: Path, overwrite: bool = False, **options: Any) -> None:
    """Do what a training does before it loads anything; the folder then looks as if it was killed."""
    plan = check_training(TrainConfig.create(**{"strategy": "2-way", "data": "world-dev", "out": folder, **options}))
    with open_folder(folder, training_identity(plan), overwrite):
        pass


def leave_checkpoint(folder: Path) -> Path:
    path = folder / "checkpoints" / "step-000010"
    path.mkdir(parents=True)
    return path


def write_pairs(path: Path, first: int = 1) -> Path:
    rows = (np.arange(100)[:, None] + np.array([first, 2, 3])) % 100
    write_neighbours(path, load_dataset("world-dev"), rows, np.random.default_rng(0))
    return path


def test_an_edited_strategy_file_is_another_training(tmp_path: Path) -> None:
    file = tmp_path / "odd.py"
    file.write_text(STRATEGY)
    begin(tmp_path / "out", strategy=str(file))
    checkpoint = leave_checkpoint(tmp_path / "out")
    begin(tmp_path / "out", strategy=str(file))  # resumes
    assert checkpoint.exists()
    file.write_text(STRATEGY.replace("rng, 3", "rng, 5"))
    with pytest.raises(UserError, match=r"out: another training was begun there: strategy .*odd\.py has changed since"):
        begin(tmp_path / "out", strategy=str(file))
    assert checkpoint.exists()
    begin(tmp_path / "out", overwrite=True, strategy=str(file))
    assert not checkpoint.exists()


def test_a_module_that_a_strategy_file_imports_counts(tmp_path: Path) -> None:
    (tmp_path / "shots_of_odd.py").write_text("SHOTS = 3\n")
    file = tmp_path / "odd.py"
    file.write_text("from shots_of_odd import SHOTS\n" + STRATEGY.replace("rng, 3", "rng, SHOTS"))
    begin(tmp_path / "out", strategy=str(file))
    (tmp_path / "shots_of_odd.py").write_text("SHOTS = 5\n")
    with pytest.raises(UserError, match="has changed since"):
        begin(tmp_path / "out", strategy=str(file))


def test_the_code_of_a_registered_strategy_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {})
    begin(tmp_path, strategy=Strategy("mine", "base", (Stage(5, 4, lambda data, rng: data.links.draw(rng, 3)),)))
    begin(tmp_path, strategy=Strategy("mine", "base", (Stage(5, 4, lambda data, rng: data.links.draw(rng, 3)),)))
    with pytest.raises(UserError, match="strategy mine has changed since"):
        begin(tmp_path, strategy=Strategy("mine", "base", (Stage(5, 4, lambda data, rng: data.links.draw(rng, 5)),)))
    with pytest.raises(UserError, match="strategy was mine, now 2-way"):
        begin(tmp_path)


def test_an_edited_neighbours_file_is_another_training_and_a_copy_is_not(tmp_path: Path) -> None:
    begin(tmp_path / "out", neighbours=write_pairs(tmp_path / "pairs.jsonl"))
    checkpoint = leave_checkpoint(tmp_path / "out")
    begin(tmp_path / "out", neighbours=write_pairs(tmp_path / "copy.jsonl"))
    assert checkpoint.exists()
    # The copy is the path that the training remembers now.
    write_pairs(tmp_path / "copy.jsonl", first=7)
    with pytest.raises(UserError, match=r"neighbours .*copy\.jsonl has changed since"):
        begin(tmp_path / "out", neighbours=tmp_path / "copy.jsonl")
    with pytest.raises(UserError, match=r"neighbours was .*copy\.jsonl, now mini/prototype"):
        begin(tmp_path / "out")


def test_the_mining_model_counts_by_content(tmp_path: Path, untrained: Path) -> None:
    (tmp_path / "a.pt").write_bytes(b"1")
    (tmp_path / "b.pt").write_bytes(b"1")
    begin(tmp_path / "out", clip=f"ViT-B-32:{tmp_path / 'a.pt'}")
    begin(tmp_path / "out", clip=f"ViT-B-32:{tmp_path / 'b.pt'}")
    (tmp_path / "b.pt").write_bytes(b"2")
    with pytest.raises(UserError, match=r"neighbours ViT-B-32:.*has changed since"):
        begin(tmp_path / "out", clip=f"ViT-B-32:{tmp_path / 'b.pt'}")
    with pytest.raises(UserError, match=r"neighbours was ViT-B-32:.*, now ViT-B-32:openai"):
        begin(tmp_path / "out", clip="ViT-B-32:openai")
    with pytest.raises(UserError, match="neighbours was"):
        begin(tmp_path / "out", clip=str(untrained))


def test_a_strategy_without_links_does_not_depend_on_the_mining_model(tmp_path: Path, untrained: Path) -> None:
    begin(tmp_path, strategy="base")
    begin(tmp_path, strategy="base", clip=str(untrained))


def test_the_start_model_counts_by_content(tmp_path: Path, untrained: Path, stock: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in untrained.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    begin(tmp_path / "out", start=untrained)
    begin(tmp_path / "out", start=copy)
    with pytest.raises(UserError, match=r"start was .*copy, now .*stock"):
        begin(tmp_path / "out", start=stock)


def test_the_dataset_counts_by_content(tmp_path: Path) -> None:
    file = tmp_path / "data.py"
    source = "from dataclasses import replace\nfrom lcl_lab.concepts import world_dev\n\n"
    source += "def load():\n    return world_dev()\n"
    file.write_text(source)
    begin(tmp_path / "out", data=str(file))
    file.write_text(source.replace("world_dev()\n", "replace(world_dev(), pairs=world_dev().pairs[:9])\n"))
    with pytest.raises(UserError, match="the dataset has changed since"):
        begin(tmp_path / "out", data=str(file))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"steps": 7}, "steps was None, now 7"), ({"every_answer": True}, "every_answer was False, now True")],
)
def test_options_that_change_weights_count_and_others_do_not(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    begin(tmp_path)
    begin(tmp_path, threads=2, checkpoint_every=7)
    with pytest.raises(UserError, match=message):
        begin(tmp_path, **options)


def test_a_folder_with_something_else_is_refused(tmp_path: Path, untrained: Path) -> None:
    with pytest.raises(UserError, match="contains a model; choose another folder, or overwrite"):
        begin(untrained)
    (tmp_path / "training.json").write_text(json.dumps({"strategy": "2-way", "seed": 0}))
    with pytest.raises(UserError, match="another training was begun there: by an earlier version"):
        begin(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write .*file"):
        begin(tmp_path / "file")


def test_a_folder_is_held_while_it_is_open(tmp_path: Path) -> None:
    options: dict[str, Any] = {"strategy": "2-way", "data": "world-dev", "out": tmp_path / "out"}
    identity = training_identity(check_training(TrainConfig.create(**options)))
    with open_folder(tmp_path / "out", identity, overwrite=False):
        before = (tmp_path / "out" / "training.json").stat().st_mtime_ns
        for overwrite in (False, True):
            with pytest.raises(UserError, match=r"^out .*/out: another process trains into this folder"):
                begin(tmp_path / "out", overwrite)
        assert (tmp_path / "out" / "training.json").stat().st_mtime_ns == before
    begin(tmp_path / "out")


def test_nothing_is_written_to_a_folder_with_a_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match="contains a model"):
        begin(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_another_number_of_ways_is_another_training_and_two_are_as_before(tmp_path: Path) -> None:
    begin(tmp_path)
    assert "ways" not in json.loads((tmp_path / "training.json").read_text())  # as in trainings of earlier versions
    begin(tmp_path, ways=2)
    with pytest.raises(UserError, match="ways was 2, now 3"):
        begin(tmp_path, ways=3)
    begin(tmp_path, overwrite=True, ways=3)
    with pytest.raises(UserError, match="ways was 3, now 2"):
        begin(tmp_path)
    three, two = (check_training(TrainConfig.create(strategy="2-way", out=tmp_path, ways=ways)) for ways in (3, 2))
    card = training_identity(three)
    assert is_trained_as(card, three)
    assert not is_trained_as(card, two)
    assert not is_trained_as(training_identity(two), three)


def test_a_file_of_tasks_counts_by_content_and_none_is_as_before(tmp_path: Path) -> None:
    rows = [llava("q", "a")] * 3
    out, file = tmp_path / "out", write_list(tmp_path / "tasks.json", rows)
    begin(out, strategy="mix")
    begun = json.loads((out / "training.json").read_text())
    assert {"tasks", "tasks_share"}.isdisjoint({*begun, *begun["content"]})  # as in trainings of earlier versions
    with pytest.raises(UserError, match="only one of the two has a file of tasks"):
        begin(out, strategy="mix", tasks=file)
    begin(out, overwrite=True, strategy="mix", tasks=file)
    begin(out, strategy="mix", tasks=write_list(tmp_path / "copy.json", rows))
    with pytest.raises(UserError, match="the tasks have changed since"):
        begin(out, strategy="mix", tasks=write_list(tmp_path / "other.json", rows * 2))
    with pytest.raises(UserError, match=r"tasks_share was None, now 0\.3"):
        begin(out, strategy="mix", tasks=file, tasks_share=0.3)


def test_a_model_is_trained_as_another_with_the_same_tasks_only(tmp_path: Path) -> None:
    files = [write_list(tmp_path / f"{k}.json", [llava("q", "a")] * k) for k in (3, 4)]
    options: list[dict[str, Any]] = [{}, {"tasks": files[0]}, {"tasks": files[1]}, {"tasks_share": 0.3}]
    options += [{"tasks": files[0], "task_tokens": 9}, {"train": ("vision",)}, {"lora": 4}, {"lora": 4, "merge": True}]
    plans = [check_training(TrainConfig.create(strategy="mix", out=tmp_path / "out", **given)) for given in options]
    cards = [json.loads(json.dumps(training_identity(plan))) for plan in plans]
    assert [[is_trained_as(card, plan) for plan in plans] for card in cards] == np.eye(8, dtype=bool).tolist()
    early = {name: value for name, value in cards[0].items() if name != "content"}  # by a version without it
    assert [is_trained_as(early, plan) for plan in plans] == [True, *[False] * 7]
