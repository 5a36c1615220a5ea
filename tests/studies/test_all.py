"""Every study in tiny mode, run by one call, and the properties of their reports and records."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lcl_lab.episodes import is_correct_open
from lcl_lab.errors import UserError
from lcl_lab.reporting import METHODS, claims_table, is_inconclusive, methods_markdown, methods_used
from lcl_lab.store import read_run, runs
from lcl_lab.studies import AllConfig, find_studies, read_result, run_all
from lcl_lab.studies.all import _options
from lcl_lab.studies.arithmetic import RULES

pytestmark = pytest.mark.slow
NAMES = [study.name for study in find_studies() if study.in_all]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of all studies in tiny mode."""
    folder = tmp_path_factory.mktemp("results")
    run_all(preset="tiny", results=folder)
    return folder


def run_of(results: Path, study: str) -> Path:
    (findings,) = (run.path for run in runs(results) if run.study == study and run.finished)
    return findings


@pytest.fixture
def records(results: Path, request: pytest.FixtureRequest) -> Iterator[pd.DataFrame]:
    yield read_run(run_of(results, request.param))


of = pytest.mark.parametrize


def axis_labels(figure: Path) -> list[list[str]]:
    """The labels of each axis of an SVG file."""
    groups = ElementTree.parse(figure).iter("{http://www.w3.org/2000/svg}g")
    return [
        ["".join(label.itertext()) for label in group]
        for group in groups
        if "role-axis-label" in group.get("class", "")
    ]


def test_the_ten_questions_are_there() -> None:
    assert set(NAMES) >= {
        *("false_ratio", "shots", "label_position", "strategies", "zero_shot"),
        *("categories", "qualitative", "label_words", "order", "arithmetic"),
    }


@of("name", [*NAMES, "all"])
def test_a_study_says_at_its_top_what_it_is(name: str) -> None:
    doc = import_module(f"lcl_lab.studies.{name}").__doc__ or ""
    for part in ("Question", "Source", "Design", "Command", "Time", "Expect"):
        assert re.search(rf"^{part} +\S", doc, flags=re.MULTILINE), part
    assert f"python -m lcl_lab.studies.{name}\n" in doc


@of("study", NAMES)
def test_it_writes_a_report_with_figures_that_show_something(study: str, results: Path) -> None:
    folder = run_of(results, study)
    report = (folder / "report.md").read_text(encoding="utf-8")
    assert f"python -m lcl_lab.studies.{study} --" in report
    assert "**Question.**" in report
    assert "| ---" in report
    pictures = re.findall(r"!\[[^]]*\]\(([^)]*)\)", report)
    assert pictures
    for picture in pictures:
        colours = Image.open(folder / picture).convert("RGB").getcolors(1 << 24)
        assert colours is not None
        assert len(colours) > 20, f"{picture} shows nothing"
        if picture.startswith(("figure", "radar", "calibration")):
            for labels in axis_labels((folder / picture).with_suffix(".svg")):
                assert len(set(labels)) == len(labels), f"{picture} has an axis with equal labels: {labels}"
            assert "vegaEmbed" in (folder / picture).with_suffix(".html").read_text(encoding="utf-8")
    assert "nan" not in report.lower().replace("dominan", "")


@of("study", [*NAMES, "all"])
def test_the_report_is_also_one_file_that_fetches_nothing(study: str, results: Path) -> None:
    page = (run_of(results, study) / "report.html").read_text(encoding="utf-8")
    sources = re.findall(r'(?:src|href)="([^"]{0,40})', page)
    assert sources
    assert all(source.startswith("data:image/") for source in sources)
    assert "<table" in page


def test_one_report_sets_the_papers_claims_beside_ours(results: Path) -> None:
    report = (run_of(results, "all") / "report.md").read_text(encoding="utf-8")
    head = report.split("## ")[0]
    for source in ("Figure 7", "Figure 8", "Table 2", "Tables 1, 2", "Table 3"):
        assert f"| {source} |" in head
    verdicts = re.findall(r"\| (holds|does not hold|inconclusive|inconclusive \(one training(?: each)?\)) \|", head)
    assert len(verdicts) >= 8
    for study in NAMES:
        assert f"python -m lcl_lab.studies.{study} " in report
    for model in ("base", "2-way", "2-way-random", "2-way-weight", "mix", "in-context"):
        assert f"**mini/{model}**, candidate: link score" in report
    manifest = json.loads((run_of(results, "all") / "manifest.json").read_text())
    assert len(manifest["provenance"]["config"]["runs"]) == len(NAMES)


def test_every_option_that_is_given_reaches_every_study(tmp_path: Path) -> None:
    given = {
        "queries": 7,
        "seed": 3,
        "anytime": True,
        "batch_size": 4,
        "results": tmp_path,
        "register": tmp_path / "plan",
    }
    config = AllConfig.create(**given)
    for study in find_studies():
        options = _options(study, config)
        own = study.config.create(config.preset, **options)
        assert (own.queries, own.seed, own.anytime, own.batch_size, own.results) == (7, 3, True, 4, tmp_path)
        assert own.registration == tmp_path / f"{study.name}-plan"
        assert "max_new_tokens" not in options  # what is not given is left to the study


@pytest.mark.slow
def test_what_is_finished_is_not_run_again(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in results.rglob("*.parquet")}
    run_all(preset="tiny", results=results, verbose=True)
    assert capsys.readouterr().out.count("already finished") == len(NAMES)
    assert {path: path.stat().st_mtime_ns for path in results.rglob("*.parquet")} == before


@of("study", NAMES)
def test_every_number_has_a_method_that_the_report_describes(study: str, results: Path) -> None:
    findings = read_result(run_of(results, study)).findings
    assert set(methods_used(findings)) <= set(METHODS)
    numbers = findings.estimates
    assert numbers["method"].isin(METHODS).all()
    text, cited = methods_markdown(findings)
    report = (run_of(results, study) / "report.md").read_text(encoding="utf-8")
    assert f"## Methods\n\n{text}\n" in report
    assert all(f"\n{line}\n" in report for line in cited)
    assert findings.setting is not None
    for name, fingerprint in findings.setting.models.items():
        assert f"`{name}` (fingerprint {fingerprint})" in text
    for name, fingerprint in findings.setting.data.items():
        assert (f"`{name}` (fingerprint {fingerprint})" in text) is (study != "arithmetic")


@of("study", NAMES)
def test_every_inconclusive_result_says_what_would_decide_it(study: str, results: Path) -> None:
    findings = read_result(run_of(results, study)).findings
    statements = [statement for section in findings.sections for statement in section.statements]
    for statement in statements:
        assert not is_inconclusive(statement.verdict) or statement.undecided is not None, statement.text
        assert "inconclusive" not in statement.text or re.search(r"detectable", statement.text), statement.text
    for claim, (alone, together) in zip(
        findings.claims, claims_table(findings.claims)[["verdict", "after Holm"]].to_numpy().tolist(), strict=True
    ):
        if is_inconclusive(alone):
            assert "detectable" in claim.measured
        elif is_inconclusive(together):
            assert "detectable" in together


@of("records", ["label_position"], indirect=True)
def test_false_labels_stand_where_the_design_says(records: pd.DataFrame) -> None:
    for row in records.itertuples():
        false = [place for place, shown in enumerate(row.support, start=1) if shown["false"]]
        if row.design == "one at a time":
            assert false == ([row.position] if row.position else [])
    several = records[records["design"] == "factorial"]
    shares = np.array([[shown["false"] for shown in support] for support in several["support"]]).mean(axis=0)
    assert shares == pytest.approx([0.25] * 4, abs=0.12)


@of("records", ["label_words"], indirect=True)
def test_what_is_right_is_what_the_support_says_in_every_vocabulary(records: pd.DataFrame) -> None:
    for _, same in records.groupby(["model", "query_id"]):
        by_words = {row.words: row for row in same.itertuples()}
        assert len(by_words) == 5
        images = {tuple(shown["image"] for shown in row.support) for row in by_words.values()}
        assert len(images) == 1
        real, swapped = by_words["real"], by_words["swapped-real"]
        assert (swapped.true_name, swapped.other_name) == (real.other_name, real.true_name)
        assert set(by_words["symbol"].true_name) <= set("?.,[]")
        for row in by_words.values():
            asked = row.query_image.split(":")[1]
            (shown,) = {shown["label"] for shown in row.support if shown["image"].split(":")[1] == asked}
            assert shown == row.true_name
            assert is_correct_open(row.true_name, row.true_name, row.other_name)
            assert not is_correct_open(row.other_name, row.true_name, row.other_name)


@of("records", ["order"], indirect=True)
def test_an_order_changes_no_shot_and_a_draw_no_query(records: pd.DataFrame) -> None:
    for _, same in records.groupby(["model", "query_id"]):
        assert same["query_image"].nunique() == 1
        shown = {(row.vary, row.number): [s["image"] for s in row.support] for row in same.itertuples()}
        first = shown["balanced order", 0]
        for (vary, _), images in shown.items():
            assert (sorted(images) == sorted(first)) is (vary != "draw")


@of("records", ["arithmetic"], indirect=True)
def test_the_right_result_is_that_of_the_rule_that_is_shown(records: pd.DataFrame) -> None:
    for row in records.itertuples():
        names = row.pair.split("~")[:2]
        shown, other = (RULES[name] for name in (names if row.rule == 0 else names[::-1]))
        a, b = (int(number) for number in re.findall(r"\d+", row.query_image))
        assert (row.true_name, row.other_name) == (str(shown(a, b)), str(other(a, b)))
        assert row.true_name != row.other_name
        for example in row.support:
            x, y = (int(number) for number in re.findall(r"\d+", example["image"]))
            assert example["label"] == str(shown(x, y))
            assert shown(x, y) != other(x, y)
    asked = records.groupby(["query_id"])["query_image"].nunique()
    assert (asked == 1).all()


@of("records", ["shots"], indirect=True)
def test_a_fixed_model_is_asked_at_its_own_shots_alone(records: pd.DataFrame) -> None:
    assert set(records.loc[records["model"] == "mini/2-way", "shots"]) == {4}
    assert set(records.loc[records["model"] == "mini/base", "shots"]) == {0, 2, 4}


@of("records", ["zero_shot"], indirect=True)
def test_questions_without_a_support_are_of_every_kind(records: pd.DataFrame) -> None:
    assert (records["support"].map(len) == 0).all()
    kinds = set(records.loc[records["task"] == "mini-VQA", "kind"])
    assert {"colour", "count", "box"} < kinds
    words = records[records["kind"] == "colour"]
    assert (words["question"] == "What colour is it?").all()
    said_so = words["answer"].str.lower() == words["true_name"]
    assert (words["correct_open"] == said_so).all()


@of("records", ["qualitative"], indirect=True)
def test_dialogues_are_chosen_by_the_rule(records: pd.DataFrame, results: Path) -> None:
    report = (run_of(results, "qualitative") / "report.md").read_text(encoding="utf-8")
    right = records.pivot(index="query_id", columns="model", values="correct_open")
    shown = re.findall(r"## Right: (.*) \((\d+) of (\d+) episodes\)", report)
    assert len(shown) == len(right.drop_duplicates())
    counts = [int(count) for _, count, _ in shown]
    assert counts == sorted(counts, reverse=True)
    assert sum(counts) == len(right)
    assert f"{len(right)} episodes are in {len(shown)} groups" in report
    firsts = re.findall(r"^\| (\d+) \|", report, flags=re.MULTILINE)
    patterns = right.apply(tuple, axis=1)
    assert all(int(query) == patterns[patterns == patterns[int(query)]].index.min() for query in firsts)


@pytest.mark.slow
def test_one_model_can_be_evaluated_in_all_studies(tmp_path: Path) -> None:
    run_all(preset="tiny", model="mini/prototype", results=tmp_path)
    assert "mini/prototype" in (run_of(tmp_path, "all") / "report.md").read_text(encoding="utf-8")


@of(
    ("options", "message"),
    [
        ({"model": ["mini/base"] * 9}, "model .*at most 8"),
        ({"seed": -1}, "seed -1: must be at least 0"),
        ({"preset": "tiny", "queries": "x"}, "queries x: must be an integer"),
        ({"query": 1}, "query: unknown option; did you mean 'queries'"),
    ],
)
def test_wrong_options_are_reported_before_anything_runs(
    options: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message):
        run_all(results=tmp_path / "results", **options)
    assert not (tmp_path / "results").exists()
