"""Study pages: controls, and that a page restricted to one metric shows that metric only."""

from __future__ import annotations

import html
import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from lcl_lab.analysis import MAIN_METRICS
from lcl_lab.dashboard import DashboardConfig
from lcl_lab.dashboard.controls import BOTH
from lcl_lab.dashboard.run_index import read_index
from lcl_lab.dashboard.study_page import study_findings
from lcl_lab.figures import Figure
from lcl_lab.models import PROTOTYPE
from lcl_lab.models.checkpoint import CARD, shipped_folder
from lcl_lab.reporting import Findings, claims_table, methods_markdown, table_text
from lcl_lab.store import runs
from lcl_lab.studies import find_study, run_study, stored_options
from tests.dashboard.factories import (
    STUDIES,
    begin_run,
    chart_specs,
    charted_metrics,
    copy_shipped,
    open_page,
    page_text,
    repeat_run,
    rewrite_records,
    statements,
    tables,
    write_sweep,
)

TINY = ("false_ratio", "label_position", "categories", "zero_shot", "qualitative")
EXPECTED = {study: [BOTH, *MAIN_METRICS] for study in STUDIES} | {
    "zero_shot": ["open-ended"],  # there are no candidates to choose from
    "qualitative": ["open-ended"],
    "circuits": ["candidate"],  # log-likelihoods tell what a head does
}
COLUMNS = {  # of the records, by metric
    "candidate": ("correct_candidate", "correct_candidate_raw"),
    "open-ended": ("correct_open",),
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of this version, small ones."""
    folder = tmp_path_factory.mktemp("tiny") / "results"
    for study in TINY:
        run_study(study, preset="tiny", results=folder)
    return folder


@pytest.fixture(
    params=[
        pytest.param(
            (origin, study),
            id=f"{origin}-{study}",
            marks=[pytest.mark.slow] * ((origin, study) != ("shipped", "false_ratio")),
        )
        for origin, studies in (("shipped", STUDIES), ("tiny", TINY))
        for study in studies
    ]
)
def study(request: pytest.FixtureRequest, results: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A study that the dashboard has results of: those that ship, which the last version wrote, or new ones."""
    origin, name = request.param
    if origin == "shipped":
        copy_shipped(results, name)
    else:
        monkeypatch.setattr(sys, "argv", ["app.py", "--results", str(request.getfixturevalue("tiny"))])
    yield name


def findings_of(name: str) -> Findings:
    """What the page of a study shows by default, as typed findings."""
    index = read_index(DashboardConfig(results=Path(sys.argv[2])))
    group = index.groups_of(name)[0]
    return study_findings(find_study(name), group, group.select(group.models[:8], group.seeds[:1]))[0]


def plain(findings: Findings) -> list[str]:
    """The sentences as a page shows them, where bold text and code are markup."""
    return [re.sub(r"\*\*|`", "", one.text) for section in findings.sections for one in section.statements]


def assert_page_shows(app: AppTest, findings: Findings) -> None:
    """The page has exactly these statements, tables, panels and claims."""
    assert not app.exception
    assert [text for _, text in statements(app)] == plain(findings)
    expected = [table_text(table) for section in findings.sections for table in section.tables]
    assert len(tables(app)) == len(expected)
    for shown, table in zip(tables(app), expected, strict=True):
        assert shown.astype(str).to_numpy().tolist() == table.astype(str).to_numpy().tolist()
    panels = [
        panel for section in findings.sections if isinstance(section.figure, Figure) for panel in section.figure.panels
    ]
    assert len(chart_specs(app)) == len(panels)
    conclusions = [one for section in findings.sections for one in section.statements if one.verdict and one.model]
    assert sum(len(table.value) for table in app.table if "claim" not in table.value) == len(conclusions)
    claims = [table.value for table in app.table if "claim" in table.value]
    assert sum(map(len, claims)) == len(findings.claims)
    if claims:
        verdicts = claims_table(findings.claims)[["verdict", "after Holm"]].to_numpy().tolist()
        assert claims[0].iloc[:, -2:].map(lambda text: text.replace("\\", "")).to_numpy().tolist() == verdicts


UNFINISHED = {
    "the same again": {},
    "another design": {"shots": 4},
    "another seed": {"seed": 9},
    "another model": {"models": [{"name": "other", "fingerprint": "0"}]},
}


QUICK = ("the same again", "another model")


@pytest.mark.parametrize("name", [pytest.param(x, marks=[pytest.mark.slow] * (x not in QUICK)) for x in UNFINISHED])
def test_a_run_that_has_not_finished_hides_no_finished_one(name: str, results: Path) -> None:
    copy_shipped(results, "false_ratio")
    finished = statements(open_page("false_ratio"))
    begin_run(results, "false_ratio = 0 AND model = 'mini/2-way'", **UNFINISHED[name])
    page = open_page("false_ratio")
    assert not page.exception
    assert finished and statements(page) == finished
    assert "20301231" in page_text(page)


def test_every_statement_table_and_panel_belongs_to_the_metric(study: str) -> None:
    findings = findings_of(study)
    offered = list(open_page(study).selectbox("by").options)
    assert offered == EXPECTED[study]
    assert [metric for metric in offered if metric != BOTH] == findings.metrics
    for metric in offered:
        app = open_page(study, by=metric)
        assert app.selectbox("by").value == metric
        assert not app.warning
        if metric == BOTH:
            assert_page_shows(app, findings)
            continue
        of_metric = findings.for_metric(metric)
        assert_page_shows(app, of_metric)
        assert plain(of_metric) or of_metric.sections
        (other,) = set(MAIN_METRICS) - {metric}
        # What is shown, as far as it names a metric, names this one.
        for named, text in statements(app):
            assert named in ("", metric)
            assert other not in text
        for table in tables(app):
            assert set(table.get("metric", [])) <= {metric}
            assert other not in table.to_csv()
        assert charted_metrics(app) == ({metric} if chart_specs(app) else set())
        assert f"({other})" not in page_text(app)
        # What is not named on the page either is of this metric, or of none.
        for section in of_metric.sections:
            for statement in section.statements:
                assert {estimate.metric for estimate in statement.estimates} <= {statement.metric}
                assert statement.metric or not statement.estimates
            for one in section.tables:
                assert one.metrics <= {metric}
        for claim in of_metric.claims:
            assert claim.metric == metric
            assert claim.estimate is None or claim.estimate.metric == metric


@pytest.mark.parametrize(
    ("metric", "name"),
    [
        pytest.param(MAIN_METRICS[number % len(MAIN_METRICS)], name, marks=[pytest.mark.slow] * (number > 0))
        for number, name in enumerate(name for name in STUDIES if BOTH in EXPECTED[name])
    ],
)
def test_what_is_shown_of_a_metric_depends_on_its_records_alone(name: str, metric: str, results: Path) -> None:
    """With answers inverted by the other metric, the page of this metric is the same, and that of the other is not."""
    copy_shipped(results, name)
    (other,) = set(MAIN_METRICS) - {metric}

    def shown(by: str) -> tuple[object, ...]:
        app = open_page(name, by=by)
        assert not app.exception
        return statements(app), [table.to_csv() for table in tables(app)], [table.value.to_csv() for table in app.table]

    before, other_before = shown(metric), shown(other)
    # The reference answers with the name that it prefers, so it is drawn in the panels of both metrics.
    changed = f"model <> '{PROTOTYPE}' AND hash(episode_id) % 3 = 0"
    rewrite_records(results, ", ".join(f"{column} <> ({changed}) AS {column}" for column in COLUMNS[other]))
    for run in runs(results):
        (run.path / "records").mkdir()  # tells the dashboard that the run has changed
    assert shown(metric) == before
    assert shown(other) != other_before


def test_a_metric_without_data_is_not_offered_and_an_address_that_asks_for_it_says_so(results: Path) -> None:
    copy_shipped(results, "zero_shot")
    app = open_page("zero_shot", by="candidate")
    assert app.selectbox("by").options == ["open-ended"]
    assert "Metric: there is no candidate here; this is shown instead." in page_text(app)
    assert {metric for metric, _ in statements(app)} - {""} == {"open-ended"}  # cut-off answers belong to no metric


def test_the_link_score_follows_the_metric(results: Path) -> None:
    copy_shipped(results, "false_ratio")
    scores = {}
    for metric in MAIN_METRICS:
        shown = [text for _, text in statements(open_page("false_ratio", by=metric)) if "link score" in text]
        assert len(shown) == 6
        assert all(f", {metric}: link score" in text for text in shown)
        scores[metric] = [text.replace(metric, "") for text in shown]
    assert scores["candidate"] != scores["open-ended"]


def test_controls_choose_models_and_metric(results: Path) -> None:
    copy_shipped(results, "false_ratio")
    app = open_page("false_ratio")
    assert "mini/base" in str(chart_specs(app))
    assert len(chart_specs(app)) == 3  # accuracy by both metrics, and the reliability of candidates
    app.multiselect("models").set_value(["mini/2-way", "mini/mix"]).run()
    assert not app.exception
    assert "mini/2-way" in str(chart_specs(app))
    assert "mini/base" not in str(chart_specs(app))
    app.selectbox("by").set_value("open-ended").run()
    assert len(chart_specs(app)) == 1
    assert {metric for metric, _ in statements(app)} == {"open-ended", ""}  # and what the design does not show


@pytest.mark.parametrize(
    "name", [name if name == "false_ratio" else pytest.param(name, marks=pytest.mark.slow) for name in STUDIES]
)
def test_a_study_is_shown_with_any_of_its_models_alone(name: str, results: Path) -> None:
    copy_shipped(results, name)
    app = open_page(name)
    (run,) = runs(results)
    for model in stored_options(run)["model"]:
        app.multiselect("models").set_value([model]).run()
        assert not app.exception, model
        assert not app.info, app.info[0].value
        assert f"**{model}**" not in page_text(app)
    app.multiselect("models").set_value([]).run()
    assert app.info[0].value == "Choose a model and a seed."


def test_runs_of_one_design_are_pooled_over_models_and_seeds(results: Path) -> None:
    copy_shipped(results, "false_ratio")
    repeat_run(results, seed=1)
    app = open_page("false_ratio")
    assert app.multiselect("seeds").value == ["1"]
    assert "over 200 queries" in page_text(app)
    app.multiselect("seeds").set_value(["0", "1"]).run()
    assert not app.exception
    assert "over 400 queries" in page_text(app)


def test_options_of_another_version_are_read_as_far_as_they_are_known(results: Path) -> None:
    copy_shipped(results, "false_ratio")
    (run,) = runs(results)
    log = run.path / "events.jsonl"
    text = log.read_text(encoding="utf-8")
    older = text.replace('"fresh": false, ', "").replace('"shots": 16', '"shots": 16, "gone": 1')
    assert '"fresh"' not in older and '"gone"' in older
    log.write_text(older, encoding="utf-8")
    assert findings_of("false_ratio").title == "False labels at 16 shots on world-100"


def test_the_methods_are_described_and_latex_is_offered(results: Path) -> None:
    copy_shipped(results, "false_ratio")
    app = open_page("false_ratio", by="candidate")
    (methods,) = [expander for expander in app.expander if expander.label == "Methods"]
    paragraph = html.unescape(methods.get("html")[0].proto.body)
    references = methods.markdown[0].value
    text = f"{paragraph} {references}"
    expected, cited = methods_markdown(findings_of("false_ratio").for_metric("candidate"))
    assert paragraph == f"<p>{expected.replace('`', '')}</p>"
    assert references == "\n".join(cited)
    assert text.count("doi:") == sum("doi:" in line for line in cited)
    assert "Open-ended" not in text
    assert "Export LaTeX" in [button.label for button in app.get("download_button")]


@pytest.mark.slow
@pytest.mark.parametrize("calibrate", [False, True])
def test_a_study_s_numbers_are_those_of_its_report(results: Path, calibrate: bool) -> None:
    folder = results / "own"
    result = run_study("false_ratio", preset="tiny", results=folder, calibrate=calibrate)
    sys.argv[2] = str(folder)
    assert plain(findings_of("false_ratio")) == plain(result.findings)
    pd.testing.assert_frame_equal(findings_of("false_ratio").estimates, result.estimates)


def test_runs_of_a_sweep_are_one_comparison_of_strategies(tmp_path: Path) -> None:
    """Each trial of a sweep is a run of its own, whose options have the strategy of its model."""
    for seed, source in enumerate(("2-way", "2-way-weight")):
        path = shutil.copytree(shipped_folder() / source, tmp_path / f"model-{seed}")
        card = json.loads((path / CARD).read_text())
        (path / CARD).write_text(json.dumps({**card, "strategy": "2-way", "seed": seed}))
        options = {"model": f"2-way-seed-{seed}={path}", "shots": 2, "queries": 8, "results": tmp_path / "results"}
        run_study("strategies", preset="tiny", **options)
        shutil.rmtree(path)
    (group,) = read_index(DashboardConfig(results=tmp_path / "results")).groups_of("strategies")
    chosen = group.select(["2-way-seed-0", "2-way-seed-1"], [0])
    findings, _ = study_findings(find_study("strategies"), group, chosen)
    assert any(text.startswith("2-way over 2 seeds at 2 shots, candidate") for text in plain(findings))


def test_trainings_of_a_strategy_are_shown_as_one(results: Path) -> None:
    copy_shipped(results, "false_ratio")
    trials = {"mix-seed-0": "mini/mix", "mix-seed-1": "mini/base", "2-way-seed-0": "mini/2-way"}
    write_sweep(results, trials | {"2-way-seed-1": "mini/2-way-random"})
    app = open_page("false_ratio", models=["mix (2 trainings)", "2-way (2 trainings)"], by="candidate")
    assert not app.exception
    assert not app.warning and not app.info
    assert tables(app)[0]["model"].tolist() == ["2-way (2 trainings)", "mix (2 trainings)"]
    assert "differences between strategies remain" in " ".join(text for _, text in statements(app))
    app = open_page("false_ratio", models=["mix (2 trainings)", "mini/2-way"], by="candidate")
    assert not app.exception
    assert any("mini/2-way" in table["model"].tolist() for table in tables(app) if "model" in table)
    assert set(app.multiselect("models").options) > {"mix (2 trainings)", "mix-seed-0"}
