"""The suite on models whose numbers are known by construction."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lcl_lab.bench import HEADLINES, TASKS, Card, Task, read_card, run_bench
from lcl_lab.bench.suite import SEED
from lcl_lab.errors import UserError
from lcl_lab.models import shipped
from lcl_lab.models.checkpoint import shipped_folder
from lcl_lab.studies import find_study


@pytest.mark.parametrize("task", TASKS, ids=[task.study for task in TASKS])
@pytest.mark.parametrize("preset", ["tiny", "default", "full"])
def test_the_options_of_every_task_are_those_of_its_study(task: Task, preset: str) -> None:
    config = find_study(task.study).config.create(**task.options_of(preset), model="mini/2-way")  # type: ignore[arg-type]
    assert config.queries == task.queries[preset]  # type: ignore[index]


def test_no_shipped_model_was_trained_with_the_seed_of_the_suite() -> None:
    cards = [json.loads(path.read_text()) for path in shipped_folder().glob("*/card.json")]
    assert len(cards) >= len(shipped()) - 1
    assert SEED not in {card.get("seed") for card in cards}


@pytest.fixture(scope="module")
def cards(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Card]:
    results = tmp_path_factory.mktemp("bench")
    names = ("heuristic/link", "heuristic/last")
    return {name: read_card(run_bench(model=name, preset="tiny", results=results)) for name in names}


@pytest.mark.slow
def test_the_headlines_of_a_model_that_follows_links_are_those_of_one(cards: dict[str, Card]) -> None:
    link = cards["heuristic/link"].headlines
    assert set(link) == {headline.key for headline in HEADLINES}
    assert link["link_score"]["estimate"] == 1
    assert link["link_rate"]["estimate"] == 1
    assert link["label_only"]["estimate"] == 0
    for key in ("accuracy_2", "accuracy_16", "ways_5"):
        assert link[key]["estimate"] == 1


@pytest.mark.slow
def test_the_headlines_of_a_model_that_repeats_the_last_label_are_at_chance(cards: dict[str, Card]) -> None:
    last = cards["heuristic/last"].headlines
    assert last["link_score"]["low"] == 0
    assert last["link_rate"]["estimate"] + last["label_only"]["estimate"] == pytest.approx(1)
    for key in ("accuracy_2", "accuracy_16"):
        assert last[key]["low"] < 0.5 < last[key]["high"]


@pytest.mark.slow
def test_a_card_has_every_estimate_its_cost_and_its_origin(cards: dict[str, Card]) -> None:
    card = cards["heuristic/link"]
    assert {row["study"] for row in card.estimates} == {task.study for task in TASKS}
    assert card.cost["prompts"] > 500  # type: ignore[operator]
    assert set(card.missing.values()) == {0.0}
    assert card.skipped == {}
    assert card.origin["command"] == "lcl bench run --model heuristic/link --preset tiny --data world-100"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "mini/3-way"}, "did you mean"),
        ({"model": "mini/2-way", "data": "nowhere"}, "data"),
        ({"model": "mini/2-way", "dtype": "float8"}, "^dtype float8"),
    ],
)
def test_a_mistake_is_one_line_before_anything_runs(options: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        run_bench(results=tmp_path, **options)
    assert not list(tmp_path.iterdir())


def test_a_file_in_the_place_of_the_results_is_reported_before_any_study(tmp_path: Path) -> None:
    file = tmp_path / "results"
    file.touch()
    with pytest.raises(UserError, match=r"^cannot create .*bench: "):
        run_bench(model="heuristic/last", results=file)
