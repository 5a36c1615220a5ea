from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

import lcl_lab
from lcl_lab.analysis import CALIBRATED_METRICS, METRICS
from lcl_lab.reporting import TERMS, Findings, Section, Statement, Table, findings_page, terms_used

from .factories import findings

PACKAGE = Path(lcl_lab.__file__).parent


def test_every_metric_and_every_estimand_of_the_package_is_defined() -> None:
    sources = [path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")]
    estimands = {name for source in sources for name in re.findall(r'estimand="([^"]+)"', source)}
    assert len(estimands) > 10
    assert {*METRICS, *CALIBRATED_METRICS, *estimands} <= set(TERMS)


def test_a_report_defines_what_it_mentions_and_nothing_else() -> None:
    assert list(terms_used(findings())) == ["open-ended", "candidate", "accuracy", "change in accuracy"]
    frame = pd.DataFrame({"model": ["mini/prototype"], "metric": ["candidate-raw"]})
    statement = Statement("{model}: link score {score}", {"model": "mini/mix", "score": 0.5})
    shown = Findings("Title", [Section("One", [statement], tables=[Table("Rates", frame)])])
    assert list(terms_used(shown)) == ["candidate-raw", "prototype", "link score"]
    page = findings_page(shown)
    assert "<strong>link score</strong>: accuracy with all labels true minus" in page
    assert "<strong>candidate</strong>" not in page


def test_findings_without_numbers_have_no_terms() -> None:
    assert "Terms" not in findings_page(Findings("Title", [Section("One", [Statement("Done.")])]))
