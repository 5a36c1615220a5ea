from __future__ import annotations

import numpy as np
import pytest

from lcl_lab.dashboard.answer_distributions import (
    calibration_distribution,
    margin_distribution,
    name_distribution,
)
from lcl_lab.dashboard.sides import LETTER
from lcl_lab.errors import UserError
from lcl_lab.figures import Figure
from tests.dashboard.sides import answers

LABELS = {"A": "A: base", "B": "B: mix"}
RECORDS = answers({"A": lambda _: 0.5, "B": lambda _: 0.9})


def test_margins_are_per_token_and_every_answer_is_in_a_bin() -> None:
    distribution = margin_distribution(RECORDS, LABELS)
    (section,) = distribution.findings.sections
    table = section.tables[0].frame.set_index("side")
    right = RECORDS.groupby(LETTER)["correct_candidate"].mean().tolist()
    assert table["above 0"].tolist() == right
    assert table.loc["B: mix", ["answers", "median"]].tolist() == [200, 1.0]  # −2 / 2 − (−2), of totals it would be 0
    assert len(distribution.parts) == len(RECORDS)
    for (side, part), inside in distribution.parts.groupby(["side", "part"]):
        picked = distribution.records_in(RECORDS, side, distribution.part_of({"middle": part}))
        assert picked.index.tolist() == inside.index.tolist()
        assert picked["correct_candidate"].nunique() == 1  # right and wrong answers have different margins


def test_calibration_leads_from_a_bin_to_its_answers() -> None:
    rng = np.random.default_rng(1)
    records = RECORDS.assign(loglik_true=RECORDS["loglik_true"] + rng.normal(size=len(RECORDS)))
    distribution = calibration_distribution(records, LABELS, "at 2 shots", 0)
    figure = distribution.findings.sections[0].figure
    assert figure is not None
    bins = figure.panels[0].chart.layer[1].data
    for row in bins.to_dict("records"):
        picked = distribution.records_in(records, row["model"], distribution.part_of(row))
        assert len(picked) == row["n"]
        assert set(picked[LETTER].map(LABELS)) == {row["model"]}


def test_names_that_are_taken_for_others_are_counted() -> None:
    distribution = name_distribution(RECORDS, LABELS, "open-ended")
    frame = distribution.findings.sections[0].tables[0].frame.set_index(["side", "confusion"])
    wrong = RECORDS[~RECORDS["correct_open"].astype(bool)]
    counts = wrong.groupby([LETTER, "true_name"]).size()
    assert frame.loc[("A: base", "dax → wug"), "n"] == counts["A", "dax"]
    assert len(distribution.records_in(RECORDS, "B: mix", "wug → dax")) == counts["B", "wug"]
    assert frame["n"].sum() == len(wrong)


def test_few_names_are_a_matrix_and_many_a_list() -> None:
    figure = name_distribution(RECORDS, LABELS, "open-ended").findings.sections[0].figure
    assert isinstance(figure, Figure)
    assert [panel.title for panel in figure.panels] == list(LABELS.values())
    cells = figure.panels[0].chart.layer[0].data
    assert set(cells["confusion"]) == {f"{true} → {chosen}" for true in ("dax", "wug") for chosen in ("dax", "wug")}
    assert cells.groupby("true_name", observed=True)["estimate"].sum().tolist() == [1.0, 1.0]
    many = RECORDS.assign(true_name=RECORDS["true_name"] + (RECORDS["query_id"] % 40).astype(str))
    ranked = name_distribution(many, LABELS, "open-ended").findings.sections[0]
    assert isinstance(ranked.figure, Figure)
    assert len(ranked.figure.panels) == 1
    assert ranked.figure.panels[0].chart.data["confusion"].nunique() == 15
    assert "the 15 most frequent of" in ranked.statements[-1].text


def test_an_answer_without_a_name_and_one_of_several_names() -> None:
    records = RECORDS.assign(answer="No idea", other_names=[["dax", "wug", "blicket"]] * len(RECORDS))
    records["loglik_others"] = [[-9.0, -9.0, -2.0]] * len(records)
    records["tokens_others"] = [[1, 1, 1]] * len(records)
    chosen = name_distribution(records, LABELS, "open-ended").findings.sections[0].tables[0].frame["chosen"]
    assert set(chosen) == {"no name of the query"}
    likeliest = name_distribution(records, LABELS, "candidate").findings.sections[0].tables[0].frame["chosen"]
    assert set(likeliest) == {"blicket"}
    free = records.assign(other_names=None, other_name="", answer=" three ")
    assert set(name_distribution(free, LABELS, "open-ended").findings.sections[0].tables[0].frame["chosen"]) == {
        "three"
    }


def test_without_log_likelihoods_there_are_no_margins() -> None:
    with pytest.raises(UserError, match="no answer has log-likelihoods"):
        margin_distribution(RECORDS.assign(loglik_true=np.nan), LABELS)
