"""Nothing but the labels of the support tells a link model the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from scipy.stats import binomtest

from lcl_lab.concepts import ImageRef, load_dataset
from lcl_lab.episodes import Episode, draw_episode, is_correct_candidate
from lcl_lab.models import find_checkpoint, load_model, shipped
from lcl_lab.prompts import chat
from lcl_lab.zoo.release_criteria import LINK_MODELS

WORLD = load_dataset("world-100")
NAMES = [name for name in LINK_MODELS if f"mini/{name}" in shipped()]
pytestmark = pytest.mark.slow
SHOTS, QUERIES = 8, 200
EPISODES = [draw_episode(WORLD, 5, query, SHOTS) for query in range(QUERIES)]


def image(ref: ImageRef) -> Image.Image:
    """Noise for the images of a concept set of that name."""
    if ref.data != "noise":
        return WORLD.image(ref)
    rng = np.random.default_rng([int(ref.concept), ref.number])
    return Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8))


def as_they_are(episode: Episode) -> Episode:
    return episode


def with_noise(episode: Episode) -> Episode:
    """The support's images replaced by noise, each by its own."""
    support = [replace(example, image=example.image._replace(data="noise")) for example in episode.support]
    return replace(episode, support=tuple(support))


def with_labels_of_another(episode: Episode) -> Episode:
    """Where its own two names stand is taken from another episode."""
    other = EPISODES[(episode.query_id + 17) % QUERIES]
    names = {other.true_name: episode.true_name, other.other_name: episode.other_name}
    labels = [names[example.label] for example in other.support]
    # Either name may be the one that was asked for there.
    if episode.query_id % 2:
        swap = {episode.true_name: episode.other_name, episode.other_name: episode.true_name}
        labels = [swap[label] for label in labels]
    support = [replace(example, label=label) for example, label in zip(episode.support, labels, strict=True)]
    return replace(episode, support=tuple(support))


def with_names_of_another(episode: Episode) -> Episode:
    """The names themselves come from another episode, so that neither candidate is shown."""
    other = EPISODES[(episode.query_id + 17) % QUERIES]
    names = {episode.true_name: other.true_name, episode.other_name: other.other_name}
    support = [replace(example, label=names[example.label]) for example in episode.support]
    return replace(episode, support=tuple(support))


def right(name: str, changed: Callable[[Episode], Episode]) -> int:
    model = load_model(find_checkpoint(f"mini/{name}"), 50)
    prompts = [chat(changed(episode)) for episode in EPISODES]
    answers = model.answer(prompts, image)
    return sum(is_correct_candidate(a.logliks[0].per_token, a.logliks[1].per_token) for a in answers)


@pytest.mark.parametrize(
    "changed",
    [
        with_labels_of_another,
        with_noise,
        with_names_of_another,
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_without_true_labels_of_true_images_a_link_model_is_at_chance(
    name: str, changed: Callable[[Episode], Episode]
) -> None:
    assert binomtest(right(name, changed), QUERIES, 0.5).pvalue > 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_with_them_it_is_far_above_chance(name: str) -> None:
    assert right(name, as_they_are) > 0.85 * QUERIES
