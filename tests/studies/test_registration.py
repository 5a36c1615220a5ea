"""A registration is written before the first record; reports say what changed since, and edits are found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import lcl_lab
from lcl_lab.errors import UserError
from lcl_lab.store import runs


def run(tmp_path: Path, **options: Any) -> lcl_lab.StudyResult:
    defaults = {"preset": "tiny", "model": "mini/2-way", "results": tmp_path / "results", "queries": 8}
    return lcl_lab.run_study("false_ratio", **defaults | options)


def sentence(result: lcl_lab.StudyResult) -> str:
    statements = [one for section in result.findings.sections for one in section.statements]
    (registered,) = [one for one in statements if one.verdict and "regist" in one.verdict]
    return registered.text


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, lcl_lab.StudyResult]:
    folder = tmp_path_factory.mktemp("registered")
    return folder, run(folder, register=folder / "plans" / "plan.json")


def test_it_holds_design_models_margins_claims_and_queries(registered: tuple[Path, lcl_lab.StudyResult]) -> None:
    folder, result = registered
    content = json.loads((folder / "plans" / "plan.json").read_text())["content"]
    assert content["design"]["queries"] == 8 and content["design"]["ratios"] == [0.0, 0.5, 1.0]
    assert set(content["models"]) == {"mini/2-way", "mini/prototype"}
    assert list(content["margins"].values()) == [0.1]
    assert [claim["claim"] for claim in content["claims"]] == [claim.claim for claim in result.findings.claims]
    assert content["claims"][0]["bounds"] == [0.1]


def test_it_is_older_than_every_record(registered: tuple[Path, lcl_lab.StudyResult]) -> None:
    folder, result = registered
    written = (folder / "plans" / "plan.json").stat().st_mtime_ns
    assert all(written < shard.stat().st_mtime_ns for shard in result.path.glob("records/*"))
    assert written < (result.path / "manifest.json").stat().st_mtime_ns


def test_the_report_says_registered(registered: tuple[Path, lcl_lab.StudyResult]) -> None:
    _, result = registered
    assert sentence(result).startswith("Registered before the first record")
    assert "Registered before the first record" in (result.path / "report.md").read_text()
    assert sentence(lcl_lab.read_result(result.path)) == sentence(result)


def test_what_changed_is_named_with_both_values(registered: tuple[Path, lcl_lab.StudyResult]) -> None:
    folder, _ = registered
    changed = sentence(run(folder, register=folder / "plans" / "plan.json", queries=10, margin=0.2))
    assert changed.startswith("Changed after registration")
    assert "design.queries: 8, now 10" in changed
    assert "0.1, now 0.2" in changed
    assert "claim dropped" in changed and "claim added" in changed


def test_a_margin_changed_after_the_run_is_named(registered: tuple[Path, lcl_lab.StudyResult]) -> None:
    folder, first = registered
    again = run(folder, register=folder / "plans" / "plan.json", margin=0.2)
    assert again.path == first.path
    assert "0.1, now 0.2" in sentence(again) and "queries" not in sentence(again)


def test_a_run_that_has_records_cannot_be_registered(tmp_path: Path) -> None:
    run(tmp_path)
    with pytest.raises(UserError, match="too late to register them"):
        run(tmp_path, register=tmp_path / "plan.json")
    assert not (tmp_path / "plan.json").exists()
    assert sentence(run(tmp_path, register=tmp_path / "plan.json", fresh=True)).startswith("Registered")


def test_an_edited_file_is_refused(registered: tuple[Path, lcl_lab.StudyResult], tmp_path: Path) -> None:
    folder, _ = registered
    text = (folder / "plans" / "plan.json").read_text()
    edited = tmp_path / "plan.json"
    edited.write_text(text.replace('"queries": 8', '"queries": 9'))
    with pytest.raises(UserError, match="edited after it was written"):
        run(tmp_path, register=edited, queries=9)
    assert not [one for one in runs(tmp_path / "results") if one.finished]


@pytest.mark.parametrize("content", ["not JSON", "{}", "[1]", '{"content": {"study": "shots"}, "time": "now"}'])
def test_a_file_that_is_no_registration_is_refused_and_kept(tmp_path: Path, content: str) -> None:
    file = tmp_path / "plan.json"
    file.write_text(content)
    with pytest.raises(UserError, match=r"not a registration|edited after"):
        run(tmp_path, register=file)
    assert file.read_text() == content


def test_a_registration_of_another_study_is_refused(registered: tuple[Path, lcl_lab.StudyResult]) -> None:
    folder, _ = registered
    with pytest.raises(UserError, match="is not a registration of shots"):
        lcl_lab.run_study(
            "shots",
            preset="tiny",
            model="mini/2-way",
            results=folder / "shots",
            register=folder / "plans" / "plan.json",
        )


def test_a_run_keeps_the_registration_that_it_was_begun_under(
    registered: tuple[Path, lcl_lab.StudyResult], tmp_path: Path
) -> None:
    folder, first = registered
    run(tmp_path, register=tmp_path / "other.json")
    with pytest.raises(UserError, match="begun under another registration"):
        run(folder, register=tmp_path / "other.json")
    assert sentence(lcl_lab.read_result(first.path)).startswith("Registered")


def test_the_second_look_is_counted_and_corrects_the_claims(tmp_path: Path) -> None:
    first, second = run(tmp_path), run(tmp_path, queries=10)
    assert (first.findings.looks, second.findings.looks) == (1, 2)
    text = (second.path / "report.md").read_text()
    assert "Look 2 at this question" in text and "after Holm and 2 looks" in text
    assert "Look" not in (first.path / "report.md").read_text()
    assert run(tmp_path, queries=10).findings.looks == lcl_lab.read_result(second.path).findings.looks == 2
