from __future__ import annotations

from collections import Counter
from hashlib import blake2b

import numpy as np
import pytest
from scipy.stats import chisquare

from lcl_lab.concepts import Concept, load_dataset
from lcl_lab.concepts.hard_negatives import draw_neighbours
from lcl_lab.errors import UserError
from lcl_lab.strategies import LinkEpisodes

WORLD = load_dataset("world-900")
IDS = list(WORLD.concepts)
NEIGHBOURS = draw_neighbours(np.random.default_rng(0).random((900, 900)), 100, np.random.default_rng(1))

EARLIER = "447edb61e71861c1"


def draw(count: int, shots: int = 4) -> list[tuple[int, int, str, list[str]]]:
    """(positive, negative, answer, labels) of some episodes."""
    links, rng = LinkEpisodes(WORLD, NEIGHBOURS, 32), np.random.default_rng(2)
    drawn = []
    for _ in range(count):
        prompt = links.draw(rng, shots)
        labels = [str(turn.parts[0]) for turn in prompt.turns if turn.role == "assistant"]
        shown = list(zip(prompt.images, labels, strict=False))
        negative = next(IDS.index(ref.concept) for ref, label in shown if label == WORLD.concepts[ref.concept].name)
        positive = next(IDS.index(ref.concept) for ref, _ in shown if IDS.index(ref.concept) != negative)
        drawn.append((positive, negative, prompt.candidates[0], labels))
    return drawn


def test_negatives_follow_the_papers_distribution() -> None:
    ranks = Counter(
        int(np.flatnonzero(NEIGHBOURS[positive] == negative)[0]) for positive, negative, _, _ in draw(30_000, 2)
    )
    expected = np.array([(101 - j) / 5050 for j in range(1, 101)])
    observed = np.array([ranks[k] for k in range(100)])
    assert chisquare(observed, expected * observed.sum()).pvalue > 1e-3


def test_positives_are_uniform() -> None:
    counts = Counter(positive for positive, *_ in draw(18_000, 2))
    assert chisquare([counts[k] for k in range(900)]).pvalue > 1e-3


def test_the_positive_is_a_random_string_and_the_negative_keeps_its_name() -> None:
    for _, negative, _, labels in draw(200):
        own = WORLD.concepts[IDS[negative]].name
        (invented,) = {label for label in labels if label != own}
        assert labels.count(own) == labels.count(invented) == 2
        assert 1 <= len(invented) <= 10
        assert invented.isalpha()
        assert invented.islower()


def test_the_query_asks_for_either_class_equally_often() -> None:
    asked = sum(answer == WORLD.concepts[IDS[negative]].name for _, negative, answer, _ in draw(4000, 2))
    assert chisquare([asked, 4000 - asked]).pvalue > 1e-3


def test_the_right_answer_is_the_name_under_which_the_querys_class_was_shown() -> None:
    links, rng = LinkEpisodes(WORLD, NEIGHBOURS, 32), np.random.default_rng(4)
    for _ in range(100):
        prompt = links.draw(rng, 6)
        labels = [str(turn.parts[0]) for turn in prompt.turns if turn.role == "assistant"]
        query = prompt.images[-1]
        called = {label for ref, label in zip(prompt.images, labels, strict=False) if ref.concept == query.concept}
        assert called == {prompt.candidates[0]}
        assert set(labels) == set(prompt.candidates)


def test_an_odd_number_of_shots_gives_the_last_to_either_class() -> None:
    links, rng = LinkEpisodes(WORLD, NEIGHBOURS, 32), np.random.default_rng(5)
    extra = Counter()
    for _ in range(400):
        prompt = links.draw(rng, 5)
        counts = Counter(str(turn.parts[0]) for turn in prompt.turns if turn.role == "assistant")
        assert sorted(counts.values()) == [2, 3]
        extra[counts.most_common(1)[0][0] == prompt.candidates[0]] += 1
    assert chisquare(list(extra.values())).pvalue > 1e-3


def test_no_image_occurs_twice_in_an_episode() -> None:
    links, rng = LinkEpisodes(WORLD, NEIGHBOURS, 9), np.random.default_rng(3)
    for _ in range(50):
        images = links.draw(rng, 16).images
        assert len(set(images)) == len(images) == 17


def test_released_episodes_have_free_order_repeated_images_and_lower_case_negatives() -> None:
    """The policy of the authors' code: N images of each class, drawn with `random.choice`, then `random.shuffle`."""
    links, rng = LinkEpisodes(Capitals(), np.array([[1], [2], [0]]), 4), np.random.default_rng(7)
    unbalanced = repeated = seen_query = 0
    for _ in range(400):
        prompt = links.draw_as_released(rng, 8)
        labels = [str(turn.parts[0]) for turn in prompt.turns if turn.role == "assistant"]
        *support, query = prompt.images
        assert Counter(labels) == dict.fromkeys(prompt.candidates, 4)
        assert sum(label in ("red fox", "dog", "sea lion") for label in prompt.candidates) >= 1
        assert all(label == label.lower() for label in labels)
        assert prompt.candidates[0] == labels[[ref.concept for ref in support].index(query.concept)]
        unbalanced += any(labels[k] == labels[k + 1] for k in range(0, 8, 2))
        repeated += len(set(support)) < 8
        seen_query += query in support
    # 2⁴/C(8, 4) of all orders alternate in every two shots; 4 of 4 images are all different with probability 3/32
    # per class; a query is one of 4 images of its class drawn before with probability 1 − (3/4)⁴.
    for observed, expected in ((unbalanced, 1 - 16 / 70), (repeated, 1 - (3 / 32) ** 2), (seen_query, 1 - 0.75**4)):
        assert abs(observed / 400 - expected) < 4 * (expected * (1 - expected) / 400) ** 0.5


class Capitals:
    name = "capitals"
    concepts = {id: Concept(id, name, "", 9) for id, name in (("a", "Red Fox"), ("b", "Dog"), ("c", "Sea Lion"))}  # noqa: RUF012


class Few:
    """A dataset with fewer images of its last concepts."""

    name = "few"
    concepts = {id: Concept(id, id, "", images) for id, images in (("a", 9), ("b", 9), ("c", 20))}  # noqa: RUF012


def test_a_concept_with_few_images_gives_those_it_has() -> None:
    links, rng = LinkEpisodes(Few(), np.array([[1], [2], [0]]), 32), np.random.default_rng(6)
    for _ in range(200):
        assert all(ref.number < Few.concepts[ref.concept].images for ref in links.draw(rng, 16).images)


@pytest.mark.parametrize(("ways", "shots"), [(3, 6), (3, 7), (5, 10)])
def test_an_episode_of_n_ways_shows_n_concepts_equally_often(ways: int, shots: int) -> None:
    links, rng = LinkEpisodes(WORLD, NEIGHBOURS, 32, ways), np.random.default_rng(8)
    for _ in range(100):
        prompt = links.draw(rng, shots)
        *support, query = prompt.images
        labels = [str(turn.parts[0]) for turn in prompt.turns if turn.role == "assistant"]
        assert all(
            len({ref.concept for ref in support[k : k + ways]}) == ways for k in range(0, shots - ways + 1, ways)
        )
        assert max(Counter(labels).values()) - min(Counter(labels).values()) <= 1
        assert set(labels) == set(prompt.candidates)
        assert len(prompt.candidates) == ways
        called = {label for ref, label in zip(support, labels, strict=True) if ref.concept == query.concept}
        assert called == {prompt.candidates[0]}
        own = [
            ref.concept for ref, label in zip(support, labels, strict=True) if label == WORLD.concepts[ref.concept].name
        ]
        (positive,) = {ref.concept for ref in support} - set(own)
        assert {IDS.index(id) for id in own} <= set(NEIGHBOURS[IDS.index(positive)].tolist())
        assert len(set(prompt.images)) == shots + 1


def test_the_query_is_of_each_of_n_concepts_equally_often() -> None:
    links, rng = LinkEpisodes(WORLD, NEIGHBOURS, 32, 4), np.random.default_rng(9)
    positive = 0
    for _ in range(2000):
        prompt = links.draw(rng, 4)
        names = {WORLD.concepts[ref.concept].name for ref in prompt.images[:-1]}
        positive += prompt.candidates[0] not in names
    assert chisquare([positive, 2000 - positive], [500, 1500]).pvalue > 1e-3


def test_two_ways_draw_the_episodes_of_earlier_versions() -> None:
    """Weights of the included models depend on them."""
    links, rng = LinkEpisodes(WORLD, NEIGHBOURS, 32), np.random.default_rng(10)
    drawn = [links.draw(rng, shots) for shots in (2, 5, 16) for _ in range(20)]
    drawn += [links.draw_as_released(rng, 4) for _ in range(20)]
    assert blake2b(repr(drawn).encode(), digest_size=8).hexdigest() == EARLIER


def test_impossible_ways_are_reported() -> None:
    with pytest.raises(UserError, match=r"^ways 4: concept .* has neighbours for 3"):
        LinkEpisodes(WORLD, NEIGHBOURS[:, :2], 32, 4)
    links = LinkEpisodes(WORLD, NEIGHBOURS, 32, 3)
    with pytest.raises(UserError, match=r"^ways 3: the episodes of the authors' code have two concepts"):
        links.draw_as_released(np.random.default_rng(0), 4)
