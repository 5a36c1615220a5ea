"""The study on models whose accuracy at each number of ways is known by construction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pandas as pd
import pytest
from PIL.Image import Image

import lcl_lab as lcl
from lcl_lab.concepts import ImageRef, load_dataset
from lcl_lab.episodes import draw_episode
from lcl_lab.errors import UserError
from lcl_lab.figures import Figure
from lcl_lab.models import Answer, Loglik
from lcl_lab.prompts import Prompt

pytestmark = pytest.mark.slow

WAYS, QUERIES = (2, 3, 5), 60
RULES = ("heuristic/link", "heuristic/last", "heuristic/majority")
WORLD = load_dataset("world-100")


class Alphabet:
    """A look-up table: finds a name the more likely, the earlier it is in the alphabet."""

    name, fingerprint, device = "alphabet", "1", "cpu"

    def answer(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> Iterator[Answer]:
        for prompt in prompts:
            order = sorted(prompt.candidates)
            logliks = tuple(Loglik(-1.0 - order.index(name), 1) for name in prompt.candidates)
            yield Answer(order[0], logliks, 0.0)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> lcl.StudyResult:
    results = tmp_path_factory.mktemp("n_way")
    return lcl.run_study("n_way", model=(*RULES, Alphabet()), ways=WAYS, queries=QUERIES, results=results)


def rows(result: lcl.StudyResult, estimand: str, model: str, metric: str = "candidate") -> pd.DataFrame:
    found = result.estimates
    return found[(found["estimand"] == estimand) & (found["model"] == model) & (found["metric"] == metric)]


def accuracies(result: lcl.StudyResult, model: str, ratio: float, metric: str = "candidate") -> dict[int, float]:
    of_model = rows(result, "accuracy", model, metric)
    of_model = of_model[of_model["false_ratio"] == ratio]
    return dict(zip(of_model["ways"].astype(int), of_model["estimate"], strict=True))


def test_a_model_that_follows_the_link_is_right_for_any_number_of_ways(result: lcl.StudyResult) -> None:
    for metric in ("candidate", "open-ended"):
        assert accuracies(result, "heuristic/link", 0.0, metric) == dict.fromkeys(WAYS, 1.0)
        assert accuracies(result, "heuristic/link", 1.0, metric) == dict.fromkeys(WAYS, 0.0)
        assert (rows(result, "link score", "heuristic/link", metric)["estimate"] == 1).all()
    assert (rows(result, "chance-corrected accuracy", "heuristic/link")["estimate"] == 1).all()


def test_a_tie_between_all_names_is_exactly_at_chance(result: lcl.StudyResult) -> None:
    """All labels are equally frequent, so the majority rule prefers none."""
    for ratio in (0.0, 1.0):
        assert accuracies(result, "heuristic/majority", ratio) == pytest.approx({n: 1 / n for n in WAYS})
    assert rows(result, "chance-corrected accuracy", "heuristic/majority")["estimate"].abs().max() < 1e-12
    assert (rows(result, "link score", "heuristic/majority")["estimate"] == 0).all()


def test_a_look_up_table_has_the_accuracy_that_its_table_says(result: lcl.StudyResult) -> None:
    expected = {}
    for ways in WAYS:
        drawn = [draw_episode(WORLD, 0, query, 3 * ways, ways=ways) for query in range(QUERIES)]
        expected[ways] = sum(episode.true_name == min(episode.names) for episode in drawn) / QUERIES
    for ratio in (0.0, 1.0):
        assert accuracies(result, "alphabet", ratio) == pytest.approx(expected)
        assert accuracies(result, "alphabet", ratio, "open-ended") == pytest.approx(expected)
    corrected = rows(result, "chance-corrected accuracy", "alphabet").set_index("ways")["estimate"]
    assert corrected.to_dict() == pytest.approx({n: (expected[n] - 1 / n) / (1 - 1 / n) for n in WAYS})
    changes = rows(result, "change in chance-corrected accuracy", "alphabet")["estimate"].tolist()
    assert changes == pytest.approx([corrected[3] - corrected[2], corrected[5] - corrected[2]])


def test_the_last_label_is_right_one_time_in_n(result: lcl.StudyResult) -> None:
    found = rows(result, "accuracy", "heuristic/last")
    true = found[found["false_ratio"] == 0.0]
    assert ((true["low"] <= 1 / true["ways"]) & (1 / true["ways"] <= true["high"])).all()


def test_the_prototype_is_far_above_chance(result: lcl.StudyResult) -> None:
    assert (rows(result, "chance-corrected accuracy", "mini/prototype")["low"] > 0.6).all()


def test_the_figure_shows_the_chance_of_each_number_of_ways(result: lcl.StudyResult) -> None:
    assert isinstance(result.figure, Figure)
    chart = result.figure.chart().to_dict()
    points = [row for rows in chart["datasets"].values() for row in rows if set(row) == {"_x", "chance"}]
    assert {(row["_x"], row["chance"]) for row in points} == {(n, 1 / n) for n in WAYS}


def test_derangements_are_other_false_labels(tmp_path: Path) -> None:
    shift, derangement = (
        lcl.run_study(
            "n_way",
            preset="tiny",
            model="heuristic/link",
            ways=(3, 5),
            false_labels=labels,
            results=tmp_path,
        )
        for labels in ("shift", "derangement")
    )
    for each in (shift, derangement):
        assert accuracies(each, "heuristic/link", 1.0) == {3: 0.0, 5: 0.0}
    false = [
        each.records[each.records["false_ratio"] == 1.0]["support"].map(str).tolist() for each in (shift, derangement)
    ]
    assert false[0] != false[1]


def test_impossible_options_are_reported_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"ways.*100"):
        lcl.run_study("n_way", ways=(2, 101), results=tmp_path)
    with pytest.raises(UserError, match=r"shots 130: concept .* enough for 126 shots and a query"):
        lcl.run_study("n_way", ways=(2, 3), shots_per_concept=65, results=tmp_path)
    assert not list(tmp_path.iterdir())
