from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from lcl_lab.concepts import load_dataset, random_appearance
from lcl_lab.concepts.hard_negatives import draw_neighbours
from lcl_lab.errors import UserError
from lcl_lab.prompts import Prompt
from lcl_lab.strategies import (
    BaseTasks,
    LinkEpisodes,
    Stage,
    Strategy,
    TrainingData,
    available_strategies,
    find_strategy,
    register_strategy,
    registry,
)

WORLD = load_dataset("world-dev")
NEIGHBOURS = draw_neighbours(np.random.default_rng(0).random((100, 100)), 99, np.random.default_rng(1))
LOOKS = [random_appearance(np.random.default_rng(k)) for k in range(4)]
DATA = TrainingData(
    LinkEpisodes(WORLD, NEIGHBOURS, 32), BaseTasks(LOOKS, [(0.0, 0.0, 1.0, 1.0)] * 4, ["", "", "walnut", "anchor"])
)


@pytest.fixture(autouse=True)
def _none_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {})


def shots(prompt: Prompt) -> int:
    return len(prompt.images) - 1


def sample(name: str, count: int = 3000) -> list[Prompt]:
    rng = np.random.default_rng(0)
    return [find_strategy(name).stages[-1].draw(DATA, rng) for _ in range(count)]


def test_every_strategy_of_the_paper_is_found_by_its_name() -> None:
    paper = {"base", "2-way", "2-way-random", "2-way-weight", "mix", "in-context"}
    released = {"policy_2way_weight", "policy_2way_random_shot"}
    assert set(available_strategies()) >= paper | released | {f"fixed-{k}" for k in range(2, 17, 2)}


@pytest.mark.parametrize("k", [2, 8, 16])
def test_fixed_shots_are_fixed(k: int) -> None:
    assert {shots(prompt) for prompt in sample(f"fixed-{k}", 50)} == {k}


def test_two_way_has_sixteen_shots() -> None:
    assert {shots(prompt) for prompt in sample("2-way", 50)} == {16}


def test_sampled_shots_differ_with_their_distributions() -> None:
    uniform, weight, released = (
        Counter(shots(prompt) for prompt in sample(name))
        for name in ("2-way-random", "2-way-weight", "policy_2way_random_shot")
    )
    assert set(uniform) == set(range(2, 17))
    assert 0.58 < weight[16] / 3000 < 0.68  # e^16 / Σ e^m = 0.632
    assert set(released) <= set(range(2, 17, 2))
    assert 0.35 < released[16] / 3000 < 0.45  # e^4 / Σ e^(i/2) = 0.401


def test_the_released_policy_named_weight_has_a_fixed_number_of_shots() -> None:
    assert {shots(prompt) for prompt in sample("policy_2way_weight", 50)} == {16}


def test_mix_is_half_episodes_and_half_original_tasks() -> None:
    counts = Counter(shots(prompt) for prompt in sample("mix", 4000))
    assert set(counts) == {0, 16}
    assert 0.46 < counts[0] / 4000 < 0.54


def test_base_never_sees_two_images() -> None:
    assert {shots(prompt) for prompt in sample("base", 200)} == {0}


def test_strategies_start_where_the_paper_starts_them() -> None:
    starts = {name: strategy.start for name, strategy in available_strategies().items()}
    assert starts["2-way-random"] == starts["2-way-weight"] == "2-way"
    assert starts["2-way"] == starts["mix"] == "base"


def test_a_users_file_is_a_strategy_and_a_wrong_name_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from lcl_lab.strategies import Stage, Strategy\n\n\n"
        "def load():\n"
        "    return Strategy('mine', 'base', (Stage(5, 4, lambda data, rng: data.links.draw(rng, 6)),))\n"
    )
    assert shots(find_strategy(str(file)).stages[-1].draw(DATA, np.random.default_rng(0))) == 6
    with pytest.raises(UserError, match="did you mean '2-way-random'"):
        find_strategy("2-way-randm")


def six_shots(data: TrainingData, rng: np.random.Generator) -> Prompt:
    return data.links.draw(rng, 6)


def test_a_registered_strategy_is_found_by_its_name_and_replaced_by_the_next() -> None:
    for steps in (5, 7):
        strategy = Strategy("mine", "base", (Stage(steps, 4, six_shots),))
        assert register_strategy(strategy) is find_strategy(strategy) is strategy
        assert find_strategy("mine").stages[0].steps == steps
    assert "mine" in available_strategies()


@pytest.mark.parametrize(
    ("strategy", "reason"),
    [
        ("2-way", "must be a Strategy, not str"),
        (Strategy("2-way", "base", (Stage(1, 1, six_shots),)), "choose another"),
        (Strategy("", "base", (Stage(1, 1, six_shots),)), "needs a name"),
        (Strategy("empty", "base", ()), "at least one Stage"),
        (Strategy("zero", "base", (Stage(0, 1, six_shots),)), "steps and batch of at least 1"),
        (Strategy("slow", "base", (Stage(1, 1, six_shots),), learning_rate=0), "learning_rate must be above 0"),
    ],
)
def test_a_strategy_that_cannot_train_is_refused_when_it_is_registered(strategy: object, reason: str) -> None:
    with pytest.raises(UserError, match=f"strategy.*{reason}"):
        register_strategy(strategy)


def test_a_file_that_returns_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text("def load():\n    return 3\n")
    with pytest.raises(UserError, match=r"odd.py: must be a Strategy, not int"):
        find_strategy(str(tmp_path / "odd.py"))


def test_data_that_a_strategy_does_not_declare_is_refused() -> None:
    with pytest.raises(UserError, match="needs_tasks=False"):
        TrainingData(None, None).tasks  # noqa: B018
    with pytest.raises(UserError, match="needs_links=False"):
        TrainingData(None, None).links  # noqa: B018
