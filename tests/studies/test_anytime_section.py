"""Every paired difference of every study has a confidence sequence, from the same records."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import lcl_lab
from lcl_lab import reporting, store
from lcl_lab.analysis import PAIRED, Comparison, complete_queries, score_ties
from lcl_lab.dashboard.run_index import shipped_results
from lcl_lab.studies import with_anytime_intervals


def stored(study: str) -> list[store.RunInfo]:
    return [run for run in store.runs(shipped_results()) if run.study == study and run.finished]


STUDIES = sorted({run.study for run in store.runs(shipped_results()) if "runs" not in run.config} - {"qualitative"})


QUICK = ("false_ratio", "shots", "strategies", "zero_shot")


@pytest.mark.parametrize("study", [pytest.param(x, marks=[pytest.mark.slow] * (x not in QUICK)) for x in STUDIES])
def test_every_paired_difference_has_one(study: str) -> None:
    for run in stored(study):
        result = lcl_lab.read_result(run.path)
        records = score_ties(complete_queries(result.records))
        differences = {
            (value.model, value.metric, str(value.condition), str(value.a), str(value.b)): value
            for value in mentioned(result.findings)
            if isinstance(value, Comparison) and value.method == PAIRED and value.trainings == 1
        }
        sections = with_anytime_intervals(result.findings, records).sections
        tables = [table for section in sections if section.name == "anytime" for table in section.tables]
        rows = [row for table in tables for row in table.frame.to_dict(orient="records")]
        assert len(rows) == len(differences)
        for row, difference in zip(rows, differences.values(), strict=True):
            assert row["n"] == difference.n and row["clusters"] == difference.clusters
            # The mean of pair means is the mean of queries where pairs have equal numbers of them.
            assert row["estimate"] == pytest.approx(difference.value, abs=0.03)
            assert row["low"] <= difference.value <= row["high"]
            assert row["high"] - row["low"] > difference.high - difference.low  # the price of looking at any time


def mentioned(findings: reporting.Findings) -> list[object]:
    statements = [one for section in findings.sections for one in section.statements]
    claims = [claim.estimate for claim in findings.claims if claim.estimate]
    return [*(value for one in statements for value in one.estimates), *claims]


def test_the_option_adds_the_section_and_its_method(tmp_path: Path) -> None:
    options = {"preset": "tiny", "model": "mini/2-way", "results": tmp_path, "queries": 8}
    without = lcl_lab.run_study("false_ratio", **options)
    with_it = lcl_lab.run_study("false_ratio", anytime=True, **options)
    assert with_it.path == without.path  # it changes no record
    assert "anytime" not in [section.name for section in without.findings.sections]
    rows = with_it.estimates[with_it.estimates["estimand"] == "difference at any time"]
    assert len(rows) == 2 and np.isfinite(rows[["low", "high"]].to_numpy(dtype=float)).all()
    report, cited = reporting.methods_markdown(with_it.findings)
    assert "betting confidence sequence" in report
    assert any("collectif" in reference for reference in cited)


def test_it_is_left_out_where_nothing_is_compared() -> None:
    (run,) = stored("qualitative")[:1]
    result = lcl_lab.read_result(run.path)
    assert with_anytime_intervals(result.findings, result.records) == result.findings
