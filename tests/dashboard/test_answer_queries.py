from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lcl_lab.dashboard import DashboardConfig
from lcl_lab.dashboard.answer_queries import ORDERS, AnswerQuery, Answers, search_terms
from lcl_lab.dashboard.run_index import Source, read_index
from lcl_lab.store import read_run
from lcl_lab.studies.circuit_columns import margins
from tests.dashboard.factories import begin_run, copy_shipped, newest_run

HALF = {"false_ratio": "0.5"}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_shipped(tmp_path_factory.mktemp("results"), "false_ratio")


@pytest.fixture(scope="module")
def sources(results: Path) -> dict[str, Source]:
    (group,) = read_index(DashboardConfig(results=results)).groups
    return {source.model: source for source in group.all_sources}


@pytest.fixture(scope="module")
def records(results: Path) -> pd.DataFrame:
    records = read_run(results / newest_run(results, "false_ratio"))
    return records[records["false_ratio"] == 0.5].assign(margin=margins).set_index(["model", "query_id"]).sort_index()


def found(query: AnswerQuery, count: int = 1000) -> list[int]:
    with Answers(query) as answers:
        rows = answers.rows(0, count)
        assert len(rows) == min(count, answers.total)
    return [row.record["query_id"] for row in rows]


def test_a_search_finds_every_word_in_answer_or_names(sources: dict[str, Source], records: pd.DataFrame) -> None:
    rows = records.loc["mini/2-way"]
    name = rows["true_name"].iloc[0]
    texts = rows["answer"] + "\n" + rows["true_name"] + "\n" + rows["other_name"]
    expected = texts.index[texts.str.contains(name, regex=False)]
    source = sources["mini/2-way"]
    assert found(AnswerQuery(source, (), "candidate", HALF, text=name.upper())) == list(expected)
    assert found(AnswerQuery(source, (), "candidate", HALF, text=f"{name} %")) == []
    answer = records.loc["mini/base", "answer"].iloc[0]
    same = records.loc["mini/base"].index[records.loc["mini/base", "answer"] == answer]
    assert found(AnswerQuery(sources["mini/base"], (), "candidate", HALF, text=f'"{answer}"')) == list(same)


@pytest.mark.parametrize(
    ("text", "terms"), [("", []), ('one "two three"', ["one", "two three"]), ('"', ['"']), ("a'b", ["a'b"])]
)
def test_terms_are_words_and_phrases(text: str, terms: list[str]) -> None:
    assert search_terms(text) == terms


def test_orders_are_those_of_the_numbers(sources: dict[str, Source], records: pd.DataFrame) -> None:
    rows, base = records.loc["mini/2-way"], records.loc["mini/base"]
    numbers = {
        "lowest margin": rows["margin"],
        "highest margin": -rows["margin"],
        "disagreement": -(rows["margin"] - base["margin"]).abs(),
        "seconds": -rows["seconds"],
        "query": pd.Series(rows.index, rows.index),
    }
    assert list(numbers) and set(numbers) == set(ORDERS)
    for order, number in numbers.items():
        query = AnswerQuery(sources["mini/2-way"], (sources["mini/base"],), "candidate", HALF, order=order)
        ranked = number.loc[found(query)].to_numpy()
        assert len(ranked) == len(rows)
        assert (np.diff(ranked) >= -1e-9).all(), order


def test_models_without_log_likelihoods_disagree_by_their_verdicts(
    sources: dict[str, Source], records: pd.DataFrame
) -> None:
    pair = AnswerQuery(sources["mini/2-way"], (sources["mini/base"],), "open-ended", HALF, outcome="flipped")
    correct = records["correct_open"].unstack("model")
    flips = correct.index[correct["mini/2-way"] != correct["mini/base"]]
    assert found(pair) == list(flips)


def test_steps_visit_all_answers_in_their_order(sources: dict[str, Source], records: pd.DataFrame) -> None:
    where = HALF | {"pair": str(records["pair"].iloc[0])}
    query = AnswerQuery(sources["mini/2-way"], (), "candidate", where, order="lowest margin")
    queries = found(query)
    assert len(queries) > 2
    visited, number = [], queries[0]
    while number is not None:
        with Answers(replace(query, query=number)) as answers:
            assert answers.total == 1
            around = answers.around(answers.rows(0, 1)[0])
        visited.append(number)
        assert (around.number, around.total) == (len(visited), len(queries))
        assert around.previous == (visited[-2] if len(visited) > 1 else None)
        number = around.next
    assert visited == queries


def test_a_model_that_has_not_answered_yet_hides_nothing(tmp_path: Path) -> None:
    copy_shipped(tmp_path, "false_ratio")
    begin_run(tmp_path, "model = 'mini/base' AND query_id < 2", models=[{"name": "mini/new"}])
    (group, *others) = read_index(DashboardConfig(results=tmp_path)).groups
    sources = {source.model: source for source in group.all_sources}
    assert not others
    query = AnswerQuery(sources["mini/2-way"], (sources["mini/new"],), "candidate", HALF)
    with Answers(query) as answers:
        rows = answers.rows(0, 3)
    assert [row.others[0] is not None for row in rows] == [True, True, False]
    assert answers.total > 3
    assert rows[0].others[0]["query_id"] == rows[0].record["query_id"]
