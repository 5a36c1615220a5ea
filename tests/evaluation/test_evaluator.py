"""The evaluator on models whose answers are known by construction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest
from PIL.Image import Image

import lcl_lab as lcl
from lcl_lab.concepts import ImageRef, load_dataset
from lcl_lab.episodes import draw_episode, falsify
from lcl_lab.errors import UserError
from lcl_lab.evaluation import Condition, Design, EvalItem, Question, answer, episode_design, evaluate, grade_answer
from lcl_lab.models import Answer, Loglik
from lcl_lab.prompts import Prompt, Turn
from lcl_lab.store import FIXED

WORLD = load_dataset("world-100")


class FirstLabel:
    """Says the first label of the support, and finds it twice as likely per token as the other name."""

    name, fingerprint, device = "first-label", "1", "cpu"

    def __init__(self) -> None:
        self.calls: list[int] = []

    def answer(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> Iterator[Answer]:
        self.calls.append(len(prompts))
        for prompt in prompts:
            label = next((str(turn.parts[0]) for turn in prompt.turns if turn.role == "assistant"), "nothing")
            # The wrong name is shorter in tokens: total and per-token log-likelihoods disagree.
            logliks = tuple(Loglik(-4.0, 4) if name == label else Loglik(-2.0, 1) for name in prompt.candidates)
            yield Answer(f"a {label}", logliks, 0.0)


def design(queries: int = 4) -> Design:
    def draw(ratio: float, query: int) -> lcl.Episode:
        return falsify(draw_episode(WORLD, 0, query, 2), ratio)

    return episode_design(WORLD, queries, [({"false_ratio": ratio}, partial(draw, ratio)) for ratio in (0.0, 1.0)])


def test_every_item_becomes_one_record_with_its_grades() -> None:
    frame = evaluate([FirstLabel()], design(), progress=False)
    assert len(frame) == 8
    assert set(FIXED) | {"false_ratio"} == set(frame.columns)
    for row in frame.itertuples():
        episode = falsify(draw_episode(WORLD, 0, row.query_id, 2), row.false_ratio)
        first = episode.support[0].label
        assert row.episode_id == episode.id
        assert row.answer == f"a {first}"
        assert row.correct_open == row.correct_candidate == (first == episode.true_name)
        assert row.correct_candidate_raw != row.correct_candidate
        assert [shown["label"] for shown in row.support] == [example.label for example in episode.support]
        assert (row.question, row.pair, row.data) == ("What is in the image?", episode.pair, "world-100")


def test_all_conditions_of_a_query_are_answered_together() -> None:
    """They share prefixes, so a model must receive them in one call."""
    model = FirstLabel()
    evaluate([model], design(), progress=False)
    assert model.calls == [8]


def test_a_condition_can_be_restricted_to_some_models() -> None:
    item = design().conditions[0].item
    restricted = Design([Condition({"k": 1}, 3, item, models=("another",)), Condition({"k": 2}, 2, item)], WORLD.image)
    frame = evaluate([FirstLabel()], restricted, progress=False)
    assert frame["k"].tolist() == [2, 2]


def test_a_question_without_candidates_is_graded_by_its_text() -> None:
    question = Question("quiz", 0, 3, "cluster", "q-3", "7 + 5", "12")
    item = EvalItem(question, Prompt((Turn("user", ("7 + 5 =",)),), ()), lambda text: 0.6 if "12" in text else 0.0)
    graded = grade_answer(item, Answer("it is 12", (), 0.0))
    assert (graded.score, graded.correct_open, graded.correct_candidate) == (0.6, True, None)
    record = graded.record("quiz", "m", Condition({"kind": "sum"}, 1, lambda query: item))
    assert (record.query_id, record.support_id, record.pair, record.support) == (3, 3, "cluster", ())
    assert (record.true_name, record.other_name, record.loglik_true) == ("12", "", None)


def test_one_answer_is_graded_and_readable() -> None:
    episode = draw_episode("world-100", query_id=1, shots=2)
    graded = answer(FirstLabel(), episode)
    assert graded.text == f"a {episode.support[0].label}"
    assert "nats per token" in repr(graded)
    assert ("correct (open-ended)" in repr(graded)) is graded.correct_open


def test_an_episode_without_images_is_refused_in_one_line() -> None:
    episode = lcl.Episode(
        data="x", seed=0, query_id=0, support_id=0, pair="a~b", support=(), query=ImageRef("x", "a", 0),
        true_name="a", other_name="b",
    )  # fmt: skip
    with pytest.raises(UserError, match="episode: has no dataset"):
        answer(FirstLabel(), episode)


def test_shipped_models_are_evaluated_by_name(tmp_path: Path) -> None:
    frame = evaluate(["mini/prototype"], design(2), progress=False)
    assert frame["model"].unique().tolist() == ["mini/prototype"]
    assert frame.groupby("false_ratio")["correct_candidate"].mean().tolist() == [1.0, 0.0]
