"""Statistics of a page are those of all stored records, read another way."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lcl_lab import analysis, store, studies
from lcl_lab.dashboard import DashboardConfig, overview_findings
from lcl_lab.dashboard.record_loading import load_records
from lcl_lab.dashboard.run_index import RunGroup, Source, read_index
from lcl_lab.dashboard.study_page import _config, study_findings
from lcl_lab.reporting import Findings
from lcl_lab.store import Run
from tests.dashboard.factories import ROOT, chart_rows, copy_shipped, open_page, rewrite_records, statements
from tests.store.factories import provenance, record


def groups_of(results: Path, study: str) -> list[RunGroup]:
    return read_index(DashboardConfig(results=results)).groups_of(study)


def sources_of(results: Path, study: str) -> list[Source]:
    return groups_of(results, study)[0].sources


def raw_records(source: Source) -> pd.DataFrame:
    """A run's records, read without any code of the package."""
    return pd.concat([pd.read_parquet(file) for file in source.run.files])


def contents(findings: Findings) -> Iterator[Any]:
    for section in findings.sections:
        yield section.heading
        yield from (sorted(statement.values.items()) for statement in section.statements)
        yield from (table.frame.to_dict("records") for table in section.tables)
    yield findings.claims


def test_accuracies_link_scores_and_differences_are_those_of_the_raw_records(results: Path) -> None:
    copy_shipped(results, "false_ratio", "zero_shot")
    sources, zero_shot = sources_of(results, "false_ratio"), sources_of(results, "zero_shot")
    shown = overview_findings(sources, zero_shot).sections[0].tables[0].frame
    raw = raw_records(sources[0]).set_index("query_id")
    answers = raw_records(zero_shot[0]).set_index(["task", "kind", "query_id"])
    base = answers.loc[answers["model"] == zero_shot[0].model, "correct_open"].astype(float)
    for row in shown[shown["metric"] == "open-ended"].to_dict("records"):
        of_model = raw[raw["model"] == row["model"]]
        true, false = (
            of_model.loc[of_model["false_ratio"] == ratio, "correct_open"].astype(float) for ratio in (0.0, 1.0)
        )
        change = answers.loc[answers["model"] == row["model"], "correct_open"].astype(float) - base
        expected = {
            "accuracy": true.mean(),
            "all labels false": false.mean(),
            "link score": max(0.0, float((true - false).mean())),
            "zero-shot change": change.mean(),
        }
        assert row["estimate"] == pytest.approx(expected[row["measure"]])
        assert row["n"] == (len(change) if row["measure"] == "zero-shot change" else len(true))
    assert set(shown["measure"]) == {"accuracy", "all labels false", "link score", "zero-shot change"}


@pytest.mark.parametrize("study", ["false_ratio", "open_set"])
def test_findings_of_a_page_are_those_of_a_frame_with_all_columns(study: str, results: Path) -> None:
    copy_shipped(results, study)
    (group,) = groups_of(results, study)
    found = next(one for one in studies.find_studies() if one.name == study)
    sources = group.sources
    read = load_records(sources, found.supports)
    complete = store.read_run(sources[0].run.path)
    assert set(read.columns) < set(complete.columns)
    findings, _ = study_findings(found, group, sources)
    config = _config(found, group, sources)
    expected = found.findings(config, complete, [sources[0].run.config], studies.read_history(sources[0].run.path))
    assert [str(part) for part in contents(findings)] == [str(part) for part in contents(expected)]


def test_records_keep_their_order_types_and_values(results: Path) -> None:
    copy_shipped(results, "false_ratio")
    rewrite_records(results, "CASE WHEN query_id > 0 THEN correct_open END AS correct_open")
    sources = [source for source in sources_of(results, "false_ratio") if source.model in ("mini/base", "mini/mix")]
    read, raw = load_records(sources), raw_records(sources[0])
    raw = raw[raw["model"].isin(["mini/base", "mini/mix"])]
    for name in ("model", "pair", "answer", "query_id", "loglik_true", "correct_candidate", "false_ratio"):
        assert read[name].tolist() == raw[name].tolist()
    assert read["correct_open"].dtype == "boolean" and read["correct_open"].isna().sum() == (raw["query_id"] == 0).sum()
    assert {"support", "query_image", "loglik_true_grey"}.isdisjoint(read.columns)
    assert np.shares_memory(
        analysis.rows_of(read, {"model": "mini/mix"})["query_id"].to_numpy(), read["query_id"].to_numpy()
    )


def test_a_study_with_missing_answers_leaves_out_their_queries(results: Path) -> None:
    model = {"name": "served", "fingerprint": "0"}
    config = {"data": model, "shots": 4, "models": [model], "seed": 0, "ratios": [0.0, 1.0], "queries": 20}
    with Run.open(results, "false_ratio", config) as run:
        for ratio in (0.0, 1.0):
            answers = [
                replace(
                    record(query, 0, "false_ratio"),
                    model="served",
                    pair=f"{query % 10}",
                    condition={"shots": 4, "false_ratio": ratio},
                    query_image=f"world-100:{query}",
                    status="failed" if query == 3 and ratio else "ok",
                )
                for query in range(20)
            ]
            run.commit(f"ratio={ratio}", answers)
        run.finish(provenance())
    app = open_page("false_ratio")
    assert not app.exception
    assert "1 of 40 answers" in " ".join(text for _, text in statements(app))
    assert {row["n"] for row in chart_rows(app) if row.get("model") == "served"} == {19}


def test_the_first_page_imports_no_more_than_it_needs(results: Path) -> None:
    copy_shipped(results, "false_ratio", "zero_shot")
    program = f"""
import sys
from streamlit.testing.v1 import AppTest
sys.argv[1:] = ["--results", {str(results)!r}]
app = AppTest.from_file({str(ROOT / "lcl_lab" / "dashboard" / "app.py")!r}, default_timeout=60).run()
assert app.get("vega_lite_chart") and not app.exception
print({{"torch", "openai", "scipy.stats", "scipy.optimize", "statsmodels.api", "ray"}} & set(sys.modules))
"""
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert process.stdout == "set()\n"
