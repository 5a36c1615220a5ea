"""Every margin is an option, is checked, and stands in the sentence that uses it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import lcl_lab
from lcl_lab.errors import UserError
from lcl_lab.reporting import Claim
from lcl_lab.studies import StudyResult, find_studies, find_study, run_study

MARGINS = [(study.name, name) for study in find_studies() for name in study.config.model_fields if "margin" in name]


def test_these_studies_have_margins() -> None:
    assert MARGINS == [
        ("false_ratio", "margin"),
        ("shots", "margin"),
        ("shots", "most_margin"),
        ("shots", "floor_margin"),
        ("zero_shot", "margin"),
        ("zero_shot", "loss_margin"),
    ]
    assert all(study.config.create().margins for study in find_studies() if study.name in dict(MARGINS))
    assert find_study("order").config.create().margins == {}


@pytest.mark.parametrize(("study", "margin"), MARGINS)
@pytest.mark.parametrize("value", [0, 1, -0.1, "x"])
def test_a_margin_lies_between_0_and_1(study: str, margin: str, value: object) -> None:
    with pytest.raises(UserError, match=f"{margin} {value}: must be"):
        find_study(study).config.create(**{margin: value})


def claims(result: StudyResult, **margins: float) -> list[Claim]:
    """The claims of the same records with other margins."""
    config = result.config.model_copy(update=margins)
    return list(find_study(result.study).findings(config, result.records).claims)


@pytest.mark.slow
def test_the_margins_of_shots_decide_its_claims_and_are_printed(tmp_path: Path) -> None:
    options = {"shots": (0, 2, 8, 16), "model": ("mini/base", "mini/2-way-random"), "fixed": ()}
    result = run_study("shots", preset="tiny", queries=6, results=tmp_path, **options)
    for margins in ((0.05, 0.5, 0.1), (0.01, 0.97, 0.002)):
        flat, most, floor = margins
        names, level, base = claims(result, margin=flat, most_margin=most, floor_margin=floor)
        assert f"here: rises by more than {most})" in names.claim
        assert f"here: within ±{flat})" in level.claim
        assert f"here: below {floor})" in base.claim
        assert [list(claim.bounds) for claim in (names, level, base)] == [[most], [-flat, flat], [floor]]


@pytest.mark.slow
def test_the_margins_of_zero_shot_decide_its_claims_and_are_printed(tmp_path: Path) -> None:
    result = run_study("zero_shot", preset="tiny", margin=0.4, results=tmp_path)
    (claim,) = (claim for claim in claims(result, loss_margin=0.5) if claim.subject.startswith("mini-VQA"))
    assert "here: at most 0.5 less" in claim.claim
    assert list(claim.bounds) == [-0.5]
    assert any("±0.4" in statement.text for section in result.findings.sections for statement in section.statements)


def test_no_study_compares_with_a_number_that_is_no_option() -> None:
    """0 and 1/2, the accuracy of guessing, are no margins."""
    package = Path(lcl_lab.__file__).parent
    wrong = []
    for path in [*(package / "studies").glob("*.py"), package / "zoo" / "claims.py"]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            values = [word.value for word in getattr(node, "keywords", []) if word.arg in ("above", "below", "margin")]
            values += node.comparators if isinstance(node, ast.Compare) else []
            wrong += [
                f"{path.name}:{node.lineno}"  # type: ignore[attr-defined]
                for value in values
                for constant in ast.walk(value)
                if isinstance(constant, ast.Constant) and isinstance(constant.value, float)
                and constant.value not in (0.0, 0.5, 1.0, 0.05)
            ]  # fmt: skip
    assert wrong == []
