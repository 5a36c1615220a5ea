from __future__ import annotations

import numpy as np

from lcl_lab.concepts.render import render
from lcl_lab.concepts.world import TRAINING_IMAGES_FROM, held_out_looks, known_things
from lcl_lab.strategies.corpus import GROUP, make_corpus


def test_nothing_that_models_are_evaluated_on_is_in_the_corpus() -> None:
    corpus = make_corpus(0, 500, 0, 1)
    assert held_out_looks().isdisjoint(corpus.looks)


def test_groups_are_of_look_alikes() -> None:
    looks = make_corpus(0, 50, 0, 1).looks
    for start in range(0, len(looks), GROUP):
        assert {looks[start].distance(look) for look in looks[start + 1 : start + GROUP]} <= {1, 2}


def test_known_things_come_under_numbers_that_no_evaluation_uses() -> None:
    corpus = make_corpus(0, 1, 2, 1)
    named = {name: corpus.images[row] for row, name in enumerate(corpus.names) if name}
    assert named.keys() == known_things().keys()
    assert np.array_equal(named["walnut"], render(known_things()["walnut"], TRAINING_IMAGES_FROM + 1))


def test_the_same_seed_gives_the_same_corpus_with_any_number_of_workers() -> None:
    one, two = make_corpus(3, 300, 1, 1), make_corpus(3, 300, 1, 2)
    assert one.looks == two.looks
    assert np.array_equal(one.images, two.images)
    assert make_corpus(4, 300, 1, 1).looks != one.looks
