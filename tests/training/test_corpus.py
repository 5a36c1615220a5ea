from __future__ import annotations

import numpy as np

from lcl_lab.concepts import render, render_with_box
from lcl_lab.concepts.world import TRAINING_IMAGES_FROM, held_out_looks, known_things
from lcl_lab.training.corpus import GROUP, plan_corpus, render_all


def test_nothing_that_models_are_evaluated_on_is_in_the_corpus() -> None:
    assert held_out_looks().isdisjoint(plan_corpus(0, 500, 0).looks)


def test_groups_are_of_look_alikes() -> None:
    looks = plan_corpus(0, 50, 0).looks
    for start in range(0, len(looks), GROUP):
        assert {looks[start].distance(look) for look in looks[start + 1 : start + GROUP]} <= {1, 2}


def test_known_things_come_last_under_numbers_that_no_evaluation_uses() -> None:
    corpus = plan_corpus(0, 1, 2)
    assert corpus.names[:GROUP] == ("",) * GROUP
    assert list(dict.fromkeys(corpus.names[GROUP:])) == list(known_things())
    assert min(corpus.numbers[GROUP:]) == TRAINING_IMAGES_FROM
    assert corpus.looks[-1] == known_things()[corpus.names[-1]]


def test_the_same_seed_gives_the_same_corpus_and_another_seed_another() -> None:
    assert plan_corpus(3, 300, 1) == plan_corpus(3, 300, 1) != plan_corpus(4, 300, 1)


def test_any_number_of_workers_renders_the_same() -> None:
    corpus = plan_corpus(0, 100, 0)
    what = list(zip(corpus.looks, corpus.numbers, strict=True))
    (one, boxes), (two, same) = render_all(what, 1), render_all(what, 2)
    assert np.array_equal(one, two)
    assert boxes == same
    assert np.array_equal(one[7], render(*what[7]))
    assert boxes[7] == render_with_box(*what[7])[1]
