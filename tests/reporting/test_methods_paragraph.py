"""The methods paragraph says what the findings contain, and nothing else."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

import lcl_lab
from lcl_lab import analysis
from lcl_lab.reporting import (
    METHODS,
    ONE_TRAINING,
    Claim,
    Findings,
    Section,
    Setting,
    Statement,
    Table,
    assess,
    methods_citations,
    methods_markdown,
    methods_used,
)

from .factories import estimate, findings

BOOTSTRAP = "cluster bootstrap over concept pairs"
SETTING = Setting(
    models={"mini/a_b": "0123", "mini/c": None},
    data={"world-100": "4567"},
    seeds=(0, 3),
    answers=1200,
    queries=(50, 200),
    clusters=50,
    grading="strict",
    ties=True,
    margins={"change that counts as none": 0.1, "accuracy that counts as none": 0.05},
    version="1.2.3",
)


def one(*statements: Statement, claims: list[Claim] | None = None, setting: Setting | None = None) -> Findings:
    return Findings("T", [Section("S", list(statements))], claims or [], setting)


def paragraph(shown: Findings) -> str:
    return methods_markdown(shown)[0]


def test_what_was_evaluated_is_named_with_its_sizes_and_fingerprints() -> None:
    text = paragraph(one(Statement("x", metric="candidate"), Statement("y", metric="open-ended"), setting=SETTING))
    for part in (
        "1,200 answers of the models `mini/a_b` (fingerprint 0123) and `mini/c` to queries about 50 concept pairs of "
        "`world-100` (fingerprint 4567), 50 to 200 queries per model and condition.",
        "correct by the rule `strict`.",
        "than the other name; ties count one half.",
        "The margins were 0.1 (change that counts as none) and 0.05 (accuracy that counts as none).",
        "from the random seeds 0 and 3. The analysis used LCL Lab 1.2.3.",
    ):
        assert part in text


def test_nothing_is_said_that_is_not_so() -> None:
    plain = replace(SETTING, ties=False, margins={}, seeds=(7,), queries=(9, 9), grading=None, has_questions=True)
    text = paragraph(one(Statement("y", metric="open-ended"), setting=plain))
    for part in ("ties", "margin", "Candidate", "Holm", "claim", "bootstrap", "clustered"):
        assert part not in text
    assert "9 queries per model and condition" in text
    assert "by the rule of each question" in text
    assert "random seed 7." in text
    assert paragraph(Findings("T", [])) == ""


def test_each_method_is_described_once_with_all_its_estimands() -> None:
    accuracy = Statement("{x}", {"x": estimate("candidate", method=BOOTSTRAP)})
    flips = Statement("{x}", {"x": estimate("candidate", method=BOOTSTRAP, estimand="flip rate")})
    text = paragraph(one(accuracy, flips, accuracy))
    assert text.count("bias-corrected and accelerated") == 1
    assert "The 95 % intervals of accuracy and flip rate are" in text
    assert "(Efron, 1987) from 2,000 resamples of whole concept pairs (Field and Welsh, 2007)" in text


def test_the_methods_of_tables_claims_and_tests_count_too() -> None:
    frame = findings().sections[0].tables[0].frame
    tables = [Table("A", frame, estimand="accuracy", method=BOOTSTRAP)]
    tables.append(Table("B", frame.assign(method=["first", *["second"] * 3]), estimand="drop"))
    tables.append(Table("Printed", frame.assign(method="a system of the paper")))
    claim = assess("Table 1", "c", "s", estimate("candidate", method="of a claim"), above=0.2)
    test = Claim("Figure 8", "c", "s", "holds", p_value=0.01, method="permutation of positions within concept pairs")
    shown = Findings("T", [Section("S", [Statement("x", methods=["Holm's correction"])], tables=tables)], [claim, test])
    assert methods_used(shown) == {
        BOOTSTRAP: ["accuracy"],
        "first": ["drop"],
        "second": ["drop"],
        "Holm's correction": [],
        "of a claim": ["accuracy"],
        "permutation of positions within concept pairs": [],
    }
    text = paragraph(shown)
    assert "Method of drop: first." in text
    assert "4,999 permutations" in text
    assert "for the 2 tested claims together" in text
    assert "A claim that a test alone decides" in text


def test_a_method_of_the_user_is_named_as_it_is() -> None:
    unknown = Statement("{x}", {"x": estimate(None, method="my {own} [@method]")})
    assert paragraph(one(unknown)) == "Method of accuracy: my {own} [@method]."


def test_one_metric_has_the_methods_of_its_own_findings() -> None:
    mine = Statement("{x}", {"x": estimate("candidate", method=BOOTSTRAP)}, "candidate")
    other = Statement("{x}", {"x": estimate("open-ended", method="other")}, "open-ended")
    shown = one(mine, other, setting=SETTING)
    assert "other." not in paragraph(shown.for_metric("candidate"))
    assert "bootstrap" not in paragraph(shown.for_metric("open-ended"))
    assert "Candidate accuracy" not in paragraph(shown.for_metric("open-ended"))


def test_inconclusive_results_are_explained_where_there_are_any() -> None:
    undecided = analysis.detectable(estimate(None), [0.45])
    assert "with a probability of 80 %" in paragraph(one(Statement("x", verdict="inconclusive", undecided=undecided)))
    single = Statement("x", verdict=ONE_TRAINING, undecided=analysis.SEVERAL_TRAININGS)
    assert paragraph(one(single)) == "No verdict was given on a strategy of which there is one training."


def test_the_references_are_those_cited() -> None:
    shown = one(Statement("{x}", {"x": estimate("candidate", method=BOOTSTRAP)}))
    text, listed = methods_markdown(shown)
    assert methods_citations(shown) == [
        "efron1987",
        "field2007",
        "hesterberg2015",
        "wilson1927",
        "korn1998",
        "kish1965",
    ]
    assert [re.match(r"- (\w+)", line)[1] for line in listed] == [  # type: ignore[index]
        "Efron", "Field", "Hesterberg", "Kish", "Korn", "Wilson",
    ]  # fmt: skip
    assert "@" not in text


@pytest.mark.parametrize("method", METHODS)
def test_every_sentence_can_be_written_and_its_method_is_used(method: str) -> None:
    x = Statement("{x}", {"x": estimate("candidate", method=method)})
    text = paragraph(one(x))
    assert text.endswith(".")
    assert not re.search(r"[{}@]|\b(\w+) \1\b|  ", text)
    sources = [path for path in Path(lcl_lab.__file__).parent.rglob("*.py") if path.name != "methods_paragraph.py"]
    assert any(method in re.sub(r"\"\n\s+\"", "", path.read_text(encoding="utf-8")) for path in sources), method
