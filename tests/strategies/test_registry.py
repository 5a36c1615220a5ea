from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from lcl_lab.concepts import load_dataset, random_appearance
from lcl_lab.concepts.hard_negatives import draw_neighbours
from lcl_lab.errors import UserError
from lcl_lab.prompts import Prompt
from lcl_lab.strategies import LinkEpisodes, Material, Tasks, find_strategy, strategies

WORLD = load_dataset("world-dev")
NEIGHBOURS = draw_neighbours(np.random.default_rng(0).random((100, 100)), 99, np.random.default_rng(1))
LOOKS = [random_appearance(np.random.default_rng(k)) for k in range(4)]
MATERIAL = Material(
    LinkEpisodes(WORLD, NEIGHBOURS, 32), Tasks(LOOKS, [(0.0, 0.0, 1.0, 1.0)] * 4, ["", "", "walnut", "anchor"])
)


def shots(prompt: Prompt) -> int:
    return len(prompt.images) - 1


def sample(name: str, count: int = 3000) -> list[Prompt]:
    rng = np.random.default_rng(0)
    return [find_strategy(name).stages[-1].draw(MATERIAL, rng) for _ in range(count)]


def test_every_strategy_of_the_paper_is_found_by_its_name() -> None:
    paper = {"base", "2-way", "2-way-random", "2-way-weight", "mix", "in-context", "policy_2way_random_shot"}
    assert set(strategies()) == paper | {f"fixed-{k}" for k in range(2, 17, 2)}


@pytest.mark.parametrize("k", [2, 8, 16])
def test_fixed_shots_are_fixed(k: int) -> None:
    assert {shots(prompt) for prompt in sample(f"fixed-{k}", 50)} == {k}


def test_two_way_has_sixteen_shots() -> None:
    assert {shots(prompt) for prompt in sample("2-way", 50)} == {16}


def test_sampled_shots_differ_as_their_laws() -> None:
    uniform, weight, released = (
        Counter(shots(prompt) for prompt in sample(name))
        for name in ("2-way-random", "2-way-weight", "policy_2way_random_shot")
    )
    assert set(uniform) == set(range(2, 17))
    assert 0.58 < weight[16] / 3000 < 0.68  # e^16 / Σ e^m = 0.632
    assert set(released) <= set(range(2, 17, 2))
    assert 0.35 < released[16] / 3000 < 0.45  # e^4 / Σ e^(i/2) = 0.401


def test_mix_is_half_episodes_and_half_original_tasks() -> None:
    counts = Counter(shots(prompt) for prompt in sample("mix", 4000))
    assert set(counts) == {0, 16}
    assert 0.46 < counts[0] / 4000 < 0.54


def test_base_never_sees_two_images() -> None:
    assert {shots(prompt) for prompt in sample("base", 200)} == {0}


def test_strategies_start_where_the_paper_starts_them() -> None:
    starts = {name: strategy.start for name, strategy in strategies().items()}
    assert starts["2-way-random"] == starts["2-way-weight"] == "2-way"
    assert starts["2-way"] == starts["mix"] == "base"


def test_a_users_file_is_a_strategy_and_a_wrong_name_is_told(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from lcl_lab.strategies import Stage, Strategy\n\n\n"
        "def load():\n"
        "    return Strategy('mine', 'base', (Stage(5, 4, lambda material, rng: material.links.draw(rng, 6)),))\n"
    )
    assert shots(find_strategy(str(file)).stages[-1].draw(MATERIAL, np.random.default_rng(0))) == 6
    with pytest.raises(UserError, match="did you mean '2-way-random'"):
        find_strategy("2-way-randm")
