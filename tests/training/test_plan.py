from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lcl_lab.concepts import load_dataset
from lcl_lab.errors import UserError
from lcl_lab.training import TrainConfig, check_training, train_model
from tests.training.instruction_data import llava, write_list


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strategy": "2way"}, "strategy 2way: unknown strategy; did you mean '2-way'"),
        ({"strategy": "visio"}, "did you mean 'vision'"),
        ({"strategy": "base", "start": "mini/bse"}, "start mini/bse: unknown model.*'mini/base'"),
        ({"start": "mini/prototype", "data": "world-90"}, "data world-90: .*did you mean 'world-900'"),
        ({"neighbours": "none.jsonl"}, "none.jsonl: No such file"),
        ({"batch": 2, "accumulate": 4}, "batch 2: must be at least 4"),
        ({"steps": 0}, "steps 0: must be at least 1"),
        ({"step": 5}, "step: unknown option; did you mean 'steps'"),
        ({"seed": -1}, "seed -1: must be at least 0"),
        ({"clip": "mini/prototyp"}, "clip mini/prototyp: unknown model.*'mini/prototype'"),
        ({"target": 95}, "target 95: must be at most 1"),
        ({"learning_rate": 0}, "learning_rate 0: must be above 0"),
        ({"ways": 1}, "ways 1: must be at least 2"),
        ({"ways": 3, "strategy": "base"}, "ways 3: base draws no episodes; leave it out"),
        ({"ways": 3, "strategy": "vision"}, "ways 3: vision draws no episodes; leave it out"),
        ({"ways": 41, "data": "isekai-mini"}, "ways 41: isekai-mini has 40 concepts; give at most 40"),
        ({"snapshot_every": 5, "preset": "tiny"}, "snapshot_every 5: must be at most the 4 steps"),
        ({"lora": 0}, "lora 0: must be at least 1"),
        ({"strategy": 3}, "strategy: must be a Strategy, not int"),
        ({"start": 3}, "start: must be the name or folder of a checkpoint; a int cannot be trained"),
        ({"tasks": "none.json"}, "tasks none.json: no such file or folder"),
        ({"tasks": "none.json", "strategy": "2-way"}, "tasks none.json: 2-way draws no original tasks; leave it out"),
        ({"tasks": "none.json", "strategy": "vision"}, "tasks none.json: vision draws no original tasks; leave it out"),
        ({"task_images": "images"}, "task_images: is the folder of the images of tasks; give tasks, too"),
        ({"task_images": "images", "strategy": "fixed-2"}, "task_images images: fixed-2 draws no original tasks"),
        ({"task_tokens": 9}, "task_tokens: limits the conversations of tasks; give tasks, too"),
        ({"task_tokens": 0}, "task_tokens 0: must be at least 1"),
        ({"task_tokens": 9, "strategy": "2-way"}, "task_tokens 9: 2-way draws no original tasks; leave it out"),
        ({"tasks_share": 0.3, "strategy": "2-way"}, "tasks_share 0.3: 2-way draws no original tasks; leave it out"),
        ({"tasks_share": 0.3, "strategy": "base"}, "tasks_share 0.3: base draws only original tasks; leave it out"),
        ({"tasks_share": 1}, "tasks_share 1: must be below 1"),
        ({"tasks_share": 0}, "tasks_share 0: must be above 0"),
        ({"preset": "tny"}, "preset tny: unknown preset; did you mean 'tiny'"),
    ],
)
def test_a_mistake_is_reported_before_anything_is_written(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        train_model(**{"strategy": "mix", "out": tmp_path / "out", **options})
    assert not (tmp_path / "out").exists()


def test_a_preset_and_a_config_are_alternatives(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="preset tiny"):
        train_model(TrainConfig(strategy="mix", out=tmp_path / "out"), preset="tiny")


def test_a_concept_with_too_few_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data.py").write_text(
        "from dataclasses import replace\n"
        "from lcl_lab.concepts import load_dataset\n\n"
        "def load():\n"
        "    world = load_dataset('world-dev')\n"
        "    few = {id: replace(concept, images=8) for id, concept in world.concepts.items()}\n"
        "    return replace(world, name='few', concepts=few)\n"
    )
    config = TrainConfig(strategy="mix", out=tmp_path / "out", data=str(tmp_path / "data.py"))
    with pytest.raises(UserError, match="has 8 images; 16 shots need 9"):
        check_training(config)


def test_names_are_resolved(tmp_path: Path) -> None:
    plan = check_training(TrainConfig.create("tiny", strategy="2-way", out=tmp_path / "out", threads=3))
    assert plan.strategy is not None
    assert plan.start is not None
    assert (plan.strategy.name, plan.start.name, plan.threads) == ("2-way", "mini/base", 3)
    assert plan.dataset is load_dataset("world-dev")


@pytest.mark.parametrize("strategy", ["mix", "base", "in-context"])
def test_the_original_tasks_of_a_real_model_are_not_those_of_the_embedded_one(
    stock: Path, tmp_path: Path, strategy: str
) -> None:
    with pytest.raises(UserError) as error:
        check_training(TrainConfig.create(strategy=strategy, out=tmp_path / "out", start=stock))
    reason = f"{strategy} draws original tasks, which {stock} has no file of; give instruction data"
    assert str(error.value) == f"tasks: {reason}, such as llava_v1_5_mix665k.json"


def test_a_strategy_that_needs_named_objects_is_refused_with_a_file(stock: Path, tmp_path: Path) -> None:
    tasks = write_list(tmp_path / "tasks.json", [llava("q", "a")] * 3)
    with pytest.raises(UserError, match=r"tasks .*tasks.json: has no objects with usual names, which the"):
        check_training(TrainConfig.create(strategy="in-context", out=tmp_path / "out", start=stock, tasks=tasks))


def test_a_file_of_tasks_is_part_of_the_plan(stock: Path, tmp_path: Path) -> None:
    tasks = write_list(tmp_path / "tasks.json", [llava("q", "a")] * 3)
    plan = check_training(TrainConfig.create("tiny", strategy="mix", out=tmp_path / "out", start=stock, tasks=tasks))
    assert plan.tasks is not None
    assert plan.tasks.path == tasks
    assert check_training(TrainConfig.create("tiny", strategy="mix", out=tmp_path / "out")).tasks is None


def test_checking_imports_no_torch(tmp_path: Path) -> None:
    program = f"""
import sys
from lcl_lab.training import TrainConfig, check_training
check_training(TrainConfig.create("tiny", strategy="2-way", out={str(tmp_path)!r}))
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
