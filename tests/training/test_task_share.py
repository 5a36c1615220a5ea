from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lcl_lab.errors import UserError
from lcl_lab.prompts import Prompt
from lcl_lab.strategies import LinkEpisodes, TrainingData, find_strategy
from lcl_lab.training.instruction_rows import TASK_IMAGES
from lcl_lab.training.instruction_tasks import open_tasks
from lcl_lab.training.task_share import with_task_share
from tests.strategies.test_registry import DATA, NEIGHBOURS, WORLD
from tests.training.instruction_data import llava, questions, write_images, write_list


def sample(share: float, data: TrainingData, strategy: str = "mix", count: int = 600) -> list[Prompt]:
    rng = np.random.default_rng(0)
    (stage,) = with_task_share(find_strategy(strategy).stages[-1:], share)
    return [stage.draw(data, rng) for _ in range(count)]


@pytest.mark.parametrize("share", [0.1, 0.8])
def test_the_share_of_tasks_is_as_given_and_both_kinds_are_as_before(tmp_path: Path, share: float) -> None:
    write_images(tmp_path)
    rows = [*questions(4), llava("text only", "a")]
    data = TrainingData(LinkEpisodes(WORLD, NEIGHBOURS, 32), open_tasks(write_list(tmp_path / "tasks.json", rows)))
    prompts = sample(share, data)
    assert prompts == sample(share, data)
    tasks = [prompt for prompt in prompts if all(ref.data == TASK_IMAGES for ref in prompt.images)]
    assert len(tasks) / len(prompts) == pytest.approx(share, abs=0.05)
    assert {len(prompt.images) for prompt in tasks} == {0, 1}
    assert {len(prompt.images) for prompt in prompts if prompt not in tasks} == {17}


def test_the_share_of_the_embedded_tasks_can_be_changed_too() -> None:
    tasks = [prompt for prompt in sample(0.9, DATA) if len(prompt.images) == 1]
    assert len(tasks) / 600 == pytest.approx(0.9, abs=0.05)


def test_a_strategy_without_either_kind_is_reported() -> None:
    with pytest.raises(UserError, match=r"tasks_share 0\.9: the strategy never draws original tasks"):
        sample(0.9, DATA, "fixed-2", count=10)
    with pytest.raises(UserError, match=r"tasks_share 0\.1: the strategy never draws episodes"):
        sample(0.1, DATA, "base", count=10)
