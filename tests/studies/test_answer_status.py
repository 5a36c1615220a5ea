"""Answers that are not known leave n; a report counts them, and says so first if they are many."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

import lcl_lab as lcl
from lcl_lab import analysis
from lcl_lab.store import read_run
from tests.servers import serving

NAME = "chuchair"


@contextmanager
def refusing(every: int) -> Iterator[str]:
    """A server that refuses each image whose content it is asked about the `every`-th time, and answers the others."""
    seen: dict[str, int] = {}

    def reply(request: dict[str, Any]) -> dict[str, Any]:
        question = json.dumps(request["messages"][-1])
        number = seen.setdefault(question, len(seen))
        refused = "image_url" in question and number % every == 0
        choice = {"finish_reason": "content_filter" if refused else "stop", "message": {"content": NAME}}
        return {"choices": [choice], "model": "it"}

    with serving(reply) as address:
        yield address


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCL_LAB_CACHE", str(tmp_path / "cache"))


def run(address: str, results: Path, **options: Any) -> lcl.StudyResult:
    return lcl.run_study(
        "false_ratio",
        model="openai:it",
        base_url=address,
        queries=20,
        shots=2,
        ratios=(0, 1),
        results=results,
        **options,
    )


def test_refused_answers_leave_n_and_are_reported_first(tmp_path: Path) -> None:
    with refusing(every=4) as address:
        result = run(address, tmp_path)
    records = result.records[result.records["model"] == "openai:it"]
    refused = records["status"] == "refused"
    assert 0 < refused.sum() < len(records)
    assert records.loc[refused, ["score", "correct_open"]].isna().all().all()
    (first, *_) = result.findings.sections
    assert first.heading == "Answers that are missing or cut off"
    right = int(records["correct_open"].fillna(False).astype(bool).sum())
    text = first.statements[0].text
    assert f"{refused.sum()} of {len(records)} answers" in text
    assert f"{right / len(records):.3f} with all of them wrong" in text
    assert f"{(right + refused.sum()) / len(records):.3f} with all of them right" in text
    estimates = result.estimates
    rows = estimates[(estimates["model"] == "openai:it") & (estimates["estimand"] == "accuracy")]
    complete = records.groupby("query_id")["status"].agg(lambda status: (status == "ok").all()).sum()
    assert set(rows["n"]) == {complete}
    assert text.replace("**", "") in (result.path / "report.md").read_text().replace("**", "")


def test_a_study_without_any_answer_says_so(tmp_path: Path) -> None:
    with refusing(every=1) as address:
        result = run(address, tmp_path)
    assert any("100.0%" in statement.text for statement in result.findings.sections[0].statements)
    rows = result.estimates
    assert "openai:it" not in set(rows.get("model", pd.Series(dtype=str)))


def test_a_query_with_a_missing_answer_is_left_out_everywhere() -> None:
    rows = [
        {"model": model, "data": "w", "seed": 0, "query_id": query, "query_image": "i", "status": status}
        for model in ("a", "b")
        for query, status in ((0, "ok"), (0, "ok"), (1, "ok"), (1, "refused" if model == "a" else "ok"))
    ]
    silent = [{**row, "model": "c", "status": "error"} for row in rows[:4]]
    complete = analysis.complete_queries(pd.DataFrame(rows + silent))
    assert set(complete["query_id"]) == {0}
    assert set(complete["model"]) == {"a", "b"}


def test_answers_that_are_cut_off_are_graded_and_mentioned(tmp_path: Path) -> None:
    result = lcl.run_study("false_ratio", preset="tiny", max_new_tokens=3, results=tmp_path)
    assert result.records["cut_off"].any()
    assert result.records["correct_open"].notna().all()
    assert any("`--max-new-tokens`" in s.text for s in result.findings.sections[-1].statements)


@pytest.mark.slow
def test_runs_of_earlier_versions_can_be_read(tmp_path: Path) -> None:
    result = lcl.run_study("false_ratio", preset="tiny", results=tmp_path)
    file = result.path / "records.parquet"
    pq.write_table(pq.read_table(file).drop_columns(["status", "cut_off", "thinking"]), file)
    manifest = json.loads((result.path / "manifest.json").read_text())
    del manifest["totals"]["sha256"]  # which earlier versions did not store
    (result.path / "manifest.json").write_text(json.dumps(manifest))
    found = read_run(result.path)
    assert set(found["status"]) == {"ok"}
    assert not found["cut_off"].any()
    assert set(found["thinking"]) == {""}
    both = lcl.run_study("false_ratio", preset="tiny", seed=1, results=tmp_path)
    assert len(lcl.read_records(tmp_path)) == len(found) + len(both.records)
