"""The study on models of which it is known by construction where their answers come from."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import lcl_lab as lcl
from lcl_lab.analysis import Estimate

pytestmark = pytest.mark.slow

MODELS = ("heuristic/last", "heuristic/prior", "heuristic/link", "heuristic/nearest", "mini/prototype", "mini/base")


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> lcl.StudyResult:
    results = tmp_path_factory.mktemp("attribution")
    return lcl.run_study("attribution", model=MODELS, queries=80, shots=4, results=results)


def estimates(result: lcl.StudyResult, estimand: str, model: str, metric: str = "candidate") -> list[Estimate]:
    return [
        estimate
        for section in result.findings.sections
        for statement in section.statements
        for estimate in statement.estimates
        if (estimate.estimand, estimate.model, estimate.metric) == (estimand, model, metric)
    ]


def rates(result: lcl.StudyResult, model: str) -> dict[str, float]:
    table = result.findings.sections[0].tables[0].frame
    rows = table[(table["model"] == model) & (table["metric"] == "candidate")]
    return dict(zip(rows["rate"], rows["estimate"], strict=True))


def coefficients(result: lcl.StudyResult, model: str) -> pd.DataFrame:
    (section,) = [one for one in result.findings.sections if one.name == "rules"]
    table = section.tables[0].frame
    return table[(table["model"] == model) & (table["metric"] == "candidate")].set_index("rule")


def test_a_model_that_repeats_the_last_label_reads_labels_only(result: lcl.StudyResult) -> None:
    of_last = rates(result, "heuristic/last")
    assert of_last["link"] == pytest.approx(0.5, abs=0.12)
    assert of_last["label-only"] == pytest.approx(0.5, abs=0.12)
    assert of_last["link"] + of_last["label-only"] == pytest.approx(1)
    (reliance,) = estimates(result, "change in accuracy", "heuristic/last")
    assert reliance.low < 0 < reliance.high
    of_rules = coefficients(result, "heuristic/last")
    assert of_rules["estimate"].idxmax() == "last label"
    assert of_rules.loc["last label", "low"] > 1
    assert (of_rules.drop("last label")["low"] < 0.5).all()


def test_models_that_follow_the_link_have_its_rate_and_need_the_images(result: lcl.StudyResult) -> None:
    for model in ("heuristic/link", "mini/prototype"):
        assert rates(result, model)["link"] > 0.9
        (reliance,) = estimates(result, "change in accuracy", model)
        assert reliance.low > 0.3
        assert coefficients(result, model)["estimate"].idxmax() in ("link", "nearest image")
    assert coefficients(result, "heuristic/link")["estimate"].idxmax() == "link"
    assert coefficients(result, "heuristic/nearest")["estimate"].idxmax() == "nearest image"


def test_a_model_with_prior_knowledge_only_does_not_move(result: lcl.StudyResult) -> None:
    of_prior = rates(result, "heuristic/prior")
    assert of_prior["stubborn"] + of_prior["inert-wrong"] == 1
    (kappa,) = estimates(result, "agreement with prior answers", "heuristic/prior")
    assert kappa.value == 1


def test_the_base_model_is_inert(result: lcl.StudyResult) -> None:
    of_base = rates(result, "mini/base")
    assert of_base["stubborn"] + of_base["inert-wrong"] > 0.8
    (reliance,) = estimates(result, "change in accuracy", "mini/base")
    assert abs(reliance.value) < 0.1


def test_rates_sum_to_one_and_agree_with_the_accuracies(result: lcl.StudyResult) -> None:
    accuracy = result.accuracy[result.accuracy["metric"] == "candidate"].set_index(["model", "perturbation"])[
        "estimate"
    ]
    for model in ("heuristic/last", "mini/base", "mini/prototype"):
        of_model = rates(result, model)
        assert sum(of_model.values()) == pytest.approx(1)
        change = accuracy[model, "intact"] - accuracy[model, "false labels"]
        assert of_model["link"] - of_model["label-only"] == pytest.approx(change, abs=0.02)


def test_perturbations_are_what_their_names_say(result: lcl.StudyResult) -> None:
    records = result.records[result.records["model"] == "mini/base"].set_index(["perturbation", "query_id"])
    supports = {name: records.loc[name]["support"] for name in records.index.unique(0)}
    assert all(len(support) == 0 for support in supports["no support"])
    assert all(not example["false"] for support in supports["intact"] for example in support)
    assert all(example["false"] for support in supports["false labels"] for example in support)
    assert all(example["image"].startswith("blank:") for support in supports["grey support"] for example in support)
    assert records.loc["grey query"]["query_image"].str.startswith("blank:").all()
    assert (records.loc["exchanged names"]["true_name"] == records.loc["intact"]["other_name"]).all()
    labels = {
        name: [[e["label"] for e in support] for support in supports[name]] for name in ("intact", "permuted images")
    }
    assert labels["intact"] == labels["permuted images"]


def test_a_model_without_log_likelihoods_is_analysed_by_its_text(tmp_path: Path) -> None:
    result = lcl.run_study("attribution", preset="tiny", model="mini/2-way", results=tmp_path)
    assert {statement.metric for statement in result.findings.sections[0].statements} == {"candidate", "open-ended"}
