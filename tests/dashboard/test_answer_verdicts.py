from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lcl_lab.dashboard import DashboardConfig
from lcl_lab.dashboard.answer_verdicts import open_rule, verdicts
from lcl_lab.dashboard.run_index import read_index
from lcl_lab.store import read_run
from tests.dashboard.factories import copy_shipped, newest_run


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The rule of the open-ended answers to each kind of question, which the verdict names."""
    results = copy_shipped(tmp_path_factory.mktemp("results"), "zero_shot")
    source = read_index(DashboardConfig(results=results)).groups[0].all_sources[0]
    records = read_run(results / newest_run(results, "zero_shot")).drop_duplicates("kind")
    rule = open_rule(source.state, source)
    rows: list[dict[str, Any]] = records.to_dict("records")
    return {row["kind"]: verdicts(row, rule)["open-ended"].rule.name for row in rows}


@pytest.mark.parametrize(
    ("kind", "rule"),
    [("box", "box, IoU ≥ ½"), ("colour", "same words"), ("isekai-mini", "open-ended, paper")],
)
def test_a_verdict_names_its_rule(kind: str, rule: str, rules: dict[str, str]) -> None:
    assert rules[kind] == rule


def test_candidates_are_judged_by_log_likelihood(tmp_path: Path) -> None:
    results = copy_shipped(tmp_path, "false_ratio")
    for record in read_run(results / newest_run(results, "false_ratio")).head(20).to_dict("records"):
        verdict = verdicts({str(key): value for key, value in record.items()}, "paper")["candidate"]
        per_token = [record[f"loglik_{side}"] / record[f"tokens_{side}"] for side in ("true", "other")]
        assert verdict.text == f"{'✓' if per_token[0] > per_token[1] else '✗'} candidate"
        assert "per token" in verdict.rule.meaning
