"""The evaluator on models whose answers are known by construction."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from PIL.Image import Image

import lcl_lab as lcl
from lcl_lab.concepts import ImageRef, load_dataset
from lcl_lab.episodes import OpenRule, draw_episode, falsify
from lcl_lab.errors import UserError
from lcl_lab.evaluation import (
    Condition,
    Design,
    EvalItem,
    Question,
    answer,
    cell_names,
    episode_design,
    evaluate,
    evaluate_run,
    grade_answer,
)
from lcl_lab.models import Answer, Loglik, find_checkpoint
from lcl_lab.prompts import Prompt, Turn
from lcl_lab.store import FIXED, PLANNED, Run, read_progress

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


class Plural(FirstLabel):
    """Says the first label with an s: the paper's rule accepts it, the strict rule does not."""

    def answer(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> Iterator[Answer]:
        for given in super().answer(prompts, image):
            yield replace(given, text=f"{given.text}s")


class Renamed:
    """A dataset that is not embedded."""

    name, fingerprint, concepts, pairs, image = "renamed", "1", WORLD.concepts, WORLD.pairs, WORLD.image


@pytest.mark.parametrize(
    ("dataset", "rule", "graded_by"),
    [(WORLD, None, "paper"), (Renamed(), None, "strict"), (WORLD, "strict", "strict"), (Renamed(), "paper", "paper")],
)
def test_records_have_the_verdict_of_each_rule_and_are_graded_by_one(
    dataset: lcl.Dataset, rule: OpenRule | None, graded_by: str
) -> None:
    conditions = [({"shots": 2}, lambda query: draw_episode(dataset, 0, query, 2))]
    frame = evaluate(Plural(), replace(episode_design(dataset, 8, conditions), open_rule=rule), progress=False)
    assert not frame["correct_strict"].any()
    assert frame["correct_paper"].any()
    assert list(frame["correct_paper"]) == list(frame["correct_release"]) == list(frame["correct_candidate"])
    assert list(frame["correct_open"]) == list(frame[f"correct_{graded_by}"])


def test_questions_have_no_verdicts_of_names() -> None:
    item = EvalItem(Question("quiz", 0, 0, "p", "id", "?", "four"), Prompt((Turn("user", ("?",)),), ()), lambda _: 1.0)
    record = grade_answer(item, Answer("five", (), 0.0), "strict").record("quiz", "m", Condition({}, 1, lambda _: item))
    assert (record.correct_open, record.correct_strict, record.correct_paper) == (True, None, None)


class Wrong(FirstLabel):
    """A user's model that yields something else than one `Answer` per prompt."""

    def __init__(self, change: Callable[[list[Answer]], object]) -> None:
        super().__init__()
        self.change = change

    def answer(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> Iterator[Answer]:
        changed = self.change(list(super().answer(prompts, image)))
        return changed if changed is None else iter(changed)  # type: ignore[call-overload, return-value]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda answers: None, "must be an Iterable, not NoneType; answer() of first-label must yield an Answer"),
        (lambda answers: [one.text for one in answers], "must be an Answer, not str"),
        (lambda answers: answers[:-1], "first-label: answer() yields 7 answers to 8 prompts"),
        (lambda answers: [*answers, answers[0]], "answer() yields more answers than 8 prompts"),
        (lambda answers: [replace(one, text=None) for one in answers], "must be a str, not NoneType"),
        (lambda answers: [replace(one, logliks=(-1.0, -2.0)) for one in answers], "must be a Loglik, not float"),
        (lambda answers: [replace(one, logliks=one.logliks[:1]) for one in answers], "1 log-likelihoods for 2"),
    ],
)
def test_what_is_no_answer_is_reported_in_one_line(change: Callable[[list[Answer]], object], reason: str) -> None:
    with pytest.raises(UserError, match=re.escape(reason)) as error:
        evaluate([Wrong(change)], design(), progress=False)
    assert str(error.value).startswith("model")
    assert "\n" not in str(error.value)


draw = partial(draw_episode, WORLD, 0, shots=4)


class _Louder:
    """A variant whose answers carry how often it was asked."""

    def __init__(self, model: lcl.Model) -> None:
        self._model = model
        self.name, self.fingerprint, self.device = model.name, model.fingerprint, model.device

    def answer(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> Iterator[Answer]:
        for number, one in enumerate(self._model.answer(prompts, image)):
            yield replace(one, text=one.text.upper(), measurement=float(number))


def test_a_variant_answers_in_place_of_the_model_and_its_measurements_are_recorded() -> None:
    design = episode_design(WORLD, 4, [({"part": part}, draw) for part in ("plain", "variant")])
    plain, variant = design.conditions
    design = replace(design, conditions=[plain, replace(variant, variant=_Louder)])
    records = evaluate("heuristic/last", design, progress=False)
    of_plain, of_variant = (records[records["part"] == part].set_index("query_id") for part in ("plain", "variant"))
    assert (of_variant["answer"] == of_plain["answer"].str.upper()).all()
    assert of_variant["measurement"].tolist() == [0, 1, 2, 3]
    assert of_plain["measurement"].isna().all()


def test_a_second_stage_follows_from_the_records_of_the_first(tmp_path: Path) -> None:
    def following(records: pd.DataFrame) -> Design:
        wrong = sorted(records.loc[~records["correct_candidate"], "query_id"])
        assert wrong, "the rule that repeats the last label is wrong on half of the queries"
        return episode_design(WORLD, len(wrong), [({"part": "again"}, lambda number: draw(wrong[number]))])

    first = replace(episode_design(WORLD, 20, [({"part": "first"}, draw)]), following=following)
    records = evaluate("heuristic/last", first, progress=False)
    again = records[records["part"] == "again"]
    of_first = records[records["part"] == "first"]
    assert set(again["query_id"]) == set(of_first.loc[~of_first["correct_candidate"], "query_id"])
    checkpoint = find_checkpoint("heuristic/last")
    assert cell_names([checkpoint], first) is None
    with Run.open(tmp_path, "staged", {"seed": 0}) as run:
        evaluate_run(run, [checkpoint], first, progress=False)
        assert len(run.records()) == len(records)
        assert evaluate_run(run, [checkpoint], first, progress=False) == "none"


def test_a_run_that_ended_between_two_stages_is_resumed_with_the_second(tmp_path: Path) -> None:
    second = episode_design(WORLD, 4, [({"part": "second"}, draw)])
    first = episode_design(WORLD, 4, [({"part": "first"}, draw)])
    checkpoint = find_checkpoint("heuristic/last")
    with Run.open(tmp_path, "staged", {"seed": 0}) as run:
        evaluate_run(run, [checkpoint], first, progress=False)
        assert _stored_and_total(run) == (4, 4)
    with Run.open(tmp_path, "staged", {"seed": 0}) as run:
        evaluate_run(run, [checkpoint], replace(first, following=lambda _: second), progress=False)
        assert run.records()["part"].value_counts().to_dict() == {"first": 4, "second": 4}


def test_a_resumed_run_logs_what_was_stored_before(tmp_path: Path) -> None:
    checkpoint = find_checkpoint("heuristic/last")
    parts = [({"part": part}, draw) for part in ("a", "b", "c")]
    with Run.open(tmp_path, "parts", {"seed": 0}) as run:
        evaluate_run(run, [checkpoint], episode_design(WORLD, 4, parts[:1]), progress=False)
        evaluate_run(run, [checkpoint], episode_design(WORLD, 4, parts), progress=False)
        assert [(event["stored"], event["total"]) for event in run.events() if event["event"] == PLANNED] == [
            (0, 4),
            (4, 12),
        ]
        assert _stored_and_total(run) == (12, 12)


def _stored_and_total(run: Run) -> tuple[int, int]:
    progress = read_progress(run.events())
    assert progress
    return progress.stored, progress.total
