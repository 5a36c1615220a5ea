"""Selection, with models for which it is known which choice is best."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
from PIL.Image import Image

import lcl_lab as lcl
from lcl_lab import models
from lcl_lab.concepts import ImageRef
from lcl_lab.errors import UserError
from lcl_lab.models import Answer, Loglik
from lcl_lab.prompts import Prompt
from lcl_lab.studies import find_study

STUDY = find_study("selection")
OPTIONS = {"shots": 4, "pool": 24, "orders": 3, "queries": 30}


class Recogniser:
    """Right where an image of the query's concept in the support is similar enough to the query."""

    name, fingerprint, device = "recogniser", "1", "cpu"

    def __init__(self, least: float) -> None:
        self.least = least

    def answer(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> Iterator[Answer]:
        features = models.ImageFeatures("mini/prototype", image)
        for prompt in prompts:
            *support, query = prompt.images
            similar = [float(features(ref) @ features(query)) for ref in support if ref.concept == query.concept]
            right = max(similar) > self.least
            first, second = (-1.0, -2.0) if right else (-2.0, -1.0)
            yield Answer(prompt.candidates[0 if right else 1], (Loglik(first, 1), Loglik(second, 1)), 0.0)


class LastImage:
    """Right where the last image of the support is of the query's concept, so that only the order counts."""

    name, fingerprint, device = "last-image", "1", "cpu"

    def answer(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> Iterator[Answer]:
        for prompt in prompts:
            *_, last, query = prompt.images
            right = last.concept == query.concept
            first, second = (-1.0, -2.0) if right else (-2.0, -1.0)
            yield Answer(prompt.candidates[0 if right else 1], (Loglik(first, 1), Loglik(second, 1)), 0.0)


def threshold() -> float:
    """The median similarity of a query with the most similar image of its concept in a random support."""
    world = lcl.load_dataset("world-100")
    features = models.ImageFeatures("mini/prototype", world.image)
    drawn = [lcl.draw_episode(world, 0, query, 4) for query in range(30)]
    return float(
        np.median(
            [
                max(
                    float(features(example.image) @ features(episode.query))
                    for example in episode.support
                    if example.image.concept == episode.query.concept
                )
                for episode in drawn
            ]
        )
    )


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> lcl.StudyResult:
    results = tmp_path_factory.mktemp("results")
    return lcl.run_study("selection", model=[Recogniser(threshold()), LastImage()], results=results, **OPTIONS)  # type: ignore[arg-type]


def accuracies(result: lcl.StudyResult, model: str) -> dict[str, float]:
    rows = result.accuracy
    rows = rows[(rows["model"] == model) & (rows["metric"] == "candidate")]
    return dict(zip(rows["selection"], rows["estimate"], strict=True))


@pytest.mark.slow
def test_the_nearest_images_win_where_similarity_decides(result: lcl.StudyResult) -> None:
    by = accuracies(result, "recogniser")
    assert by["nearest"] > by["random"] + 0.2
    assert by["random"] > by["farthest"] + 0.2
    assert by["best order"] == by["worst order"] == by["random"]
    texts = [statement.text for section in result.findings.sections for statement in section.statements]
    assert any("recogniser**, candidate, nearest" in text and "p = 0.0" in text for text in texts)


@pytest.mark.slow
def test_an_episode_without_false_labels_is_shown_without_their_colour(result: lcl.StudyResult) -> None:
    report = (result.path / "report.md").read_text(encoding="utf-8")
    assert "The first query under the middle condition.\n" in report


@pytest.mark.slow
def test_only_orders_differ_where_the_order_decides(result: lcl.StudyResult) -> None:
    """Labels keep their places, so that a choice of images changes nothing."""
    by = accuracies(result, "last-image")
    assert by["nearest"] == by["farthest"] == by["diverse"] == by["random"]
    records = result.records[result.records["model"] == "last-image"]
    orders = records[records["selection"].isin(["random", "order 1", "order 2"])]
    outcomes = orders.pivot(index="query_id", columns="selection", values="correct_candidate").to_numpy(dtype=bool)
    assert outcomes.shape == (30, 3)
    assert by["best order"] == pytest.approx(outcomes.any(axis=1).mean())
    assert by["worst order"] == pytest.approx(outcomes.all(axis=1).mean())
    assert by["worst order"] < by["random"] < by["best order"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pool": 4}, "pool 4: must be more than the 4 shots"),
        ({"pool": 9}, "^pool 9: half of the pool"),
        ({"queries_per_support": 2}, "every query has its own support"),
        ({"pool": 4000}, "enough for"),
        ({"shots": 3}, "give an even number"),
        ({"clip": "mini/prototipe"}, "clip"),
    ],
)
def test_what_cannot_be_chosen_is_refused_before_anything_is_evaluated(
    options: dict[str, object], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        STUDY.design(STUDY.config.create(**options))
