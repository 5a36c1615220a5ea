"""The study on models of which it is known by construction how they answer queries from outside the support."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL.Image import Image
from sklearn.metrics import roc_auc_score

import lcl_lab as lcl
from lcl_lab.concepts import ImageRef, load_dataset
from lcl_lab.episodes import NONE_OF_THESE
from lcl_lab.errors import UserError
from lcl_lab.models import Answer, Loglik
from lcl_lab.prompts import Prompt

pytestmark = pytest.mark.slow

WORLD = load_dataset("world-100")
QUERIES = 150
RULES = ("heuristic/link", "heuristic/last")


class LookUp:
    """Knows the name of every image: prefers it if it is a candidate, and "none of these" otherwise."""

    name, fingerprint, device = "look-up", "1", "cpu"

    def answer(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> Iterator[Answer]:
        for prompt in prompts:
            name = WORLD.concepts[prompt.images[-1].concept].name
            answer = name if name in prompt.candidates else NONE_OF_THESE
            yield Answer(answer, tuple(Loglik(-1.0 if one == answer else -3.0, 1) for one in prompt.candidates), 0.0)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> lcl.StudyResult:
    results = tmp_path_factory.mktemp("open_set")
    return lcl.run_study("open_set", model=(*RULES, LookUp()), queries=QUERIES, results=results)


def rows(result: lcl.StudyResult, estimand: str, model: str) -> pd.DataFrame:
    found = result.estimates
    return found[(found["estimand"] == estimand) & (found["model"] == model)]


def shares(result: lcl.StudyResult, model: str) -> dict[str, float]:
    found = rows(result, "share", model)
    found = found[found["prompt"] == "usual question"]
    return dict(zip(found["quantity"], found["estimate"], strict=True))


def test_a_look_up_table_rejects_all_queries_from_outside(result: lcl.StudyResult) -> None:
    assert shares(result, "look-up") == {
        "accepted, in the support": 1,
        "accepted, outside": 0,
        "accuracy on accepted": 1,
    }
    for score, area in (("highest", 1.0), ("margin", 1.0), ("none", 1.0)):
        found = rows(result, "AUROC", "look-up")
        assert (found[found["score"] == score]["estimate"] == area).all()
    accuracy = rows(result, "accuracy", "look-up")
    assert (accuracy["estimate"] == 1).all()


def test_the_link_prefers_nothing_where_the_support_does_not_show_the_concept(result: lcl.StudyResult) -> None:
    assert (rows(result, "AUROC", "heuristic/link")["estimate"] == 1).all()
    assert (rows(result, "FPR", "heuristic/link")["estimate"] == 0).all()
    assert (rows(result, "accuracy on accepted", "heuristic/link")["estimate"] == 1).all()
    assert shares(result, "heuristic/link")["accepted, outside"] == 0
    accuracy = rows(result, "accuracy", "heuristic/link")
    outside = accuracy[accuracy["query"].str.startswith("outside") & (accuracy["metric"] == "candidate")]
    assert outside["estimate"].tolist() == pytest.approx([1 / 3, 1 / 3])  # three equally likely candidates


def test_the_last_label_says_nothing_about_the_query(result: lcl.StudyResult) -> None:
    assert (rows(result, "AUROC", "heuristic/last")["estimate"] == 0.5).all()
    assert (rows(result, "FPR", "heuristic/last")["estimate"] == 1).all()
    assert shares(result, "heuristic/last")["accepted, outside"] == 1


def test_the_area_is_that_of_the_records(result: lcl.StudyResult) -> None:
    records = result.records
    of_model = records[(records["model"] == "mini/prototype") & (records["prompt"] == "usual question")]
    known = of_model["true_name"] != NONE_OF_THESE
    highest = [
        max(
            loglik / tokens
            for name, loglik, tokens in zip(
                [row.true_name, *row.other_names],
                [row.loglik_true, *row.loglik_others],
                [row.tokens_true, *row.tokens_others],
                strict=True,
            )
            if name != NONE_OF_THESE
        )
        for row in of_model.itertuples()
    ]
    found = rows(result, "AUROC", "mini/prototype")
    found = found[(found["prompt"] == "usual question") & (found["score"] == "highest")]
    assert found["estimate"].item() == pytest.approx(roc_auc_score(known, highest))


def test_records_are_the_same_queries_after_both_questions(result: lcl.StudyResult) -> None:
    by_prompt = {name: rows.set_index(["model", "query_id"]) for name, rows in result.records.groupby("prompt")}
    usual, offered = by_prompt["usual question"], by_prompt["none offered"].loc[by_prompt["usual question"].index]
    assert (usual["true_name"] == offered["true_name"]).all()
    assert offered["question"].str.contains(NONE_OF_THESE).all()
    share = np.mean(usual["true_name"] == NONE_OF_THESE)
    assert share == pytest.approx(0.5, abs=0.12)


def test_queries_of_one_kind_give_accuracies_only(tmp_path: Path) -> None:
    result = lcl.run_study("open_set", preset="tiny", queries=1, model="heuristic/link", results=tmp_path)
    assert set(result.estimates["estimand"]) == {"accuracy"}
    assert "takes more queries" in (result.path / "report.md").read_text(encoding="utf-8")
    with pytest.raises(UserError, match="calibrate: calibrates a choice between two names"):
        lcl.run_study("open_set", calibrate=True, results=tmp_path)
    with pytest.raises(UserError, match="open_share"):
        lcl.run_study("open_set", open_share=1.0, results=tmp_path)
    with pytest.raises(UserError, match=r"^ways 40: one of the 40 concepts of isekai-mini .* give at most 39"):
        lcl.run_study("open_set", data="isekai-mini", ways=40, shots_per_concept=1, results=tmp_path)


def test_three_ways_and_a_model_without_log_likelihoods(tmp_path: Path) -> None:
    class Silent:
        name, fingerprint, device = "silent", "1", "cpu"

        def answer(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> Iterator[Answer]:
            return (Answer(NONE_OF_THESE, (), 0.0) for _ in prompts)

    three = lcl.run_study("open_set", preset="tiny", model=Silent(), ways=3, results=tmp_path)
    assert rows(three, "AUROC", "silent").empty
    accuracy = rows(three, "accuracy", "silent")
    assert set(accuracy["metric"]) == {"open-ended"}
    assert accuracy.set_index("query")["estimate"].to_dict() == {
        f"{kind}, {prompt}": float(kind == "outside")
        for kind in ("in the support", "outside")
        for prompt in ("usual question", "none offered")
    }
