"""Condition columns, models and addresses with any name, on every page of the dashboard."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

import lcl_lab as lcl
from lcl_lab.dashboard import episodes_page
from lcl_lab.dashboard.run_index import Source, shipped_results
from lcl_lab.errors import UserError
from lcl_lab.evaluation import Condition
from lcl_lab.store import Record, Run, all_runs, connect, quoted_names, read_info, read_records
from tests.dashboard.factories import PAGES, copy_shipped, open_page, page_text
from tests.faults.damage import (
    CONFIGS,
    EDITED_COLUMNS,
    NEW_COLUMNS,
    NOT_FILES,
    TEXTS,
    edit_json,
    edit_table,
    flip,
    forget_checksums,
    rename_to_its_hash,
)
from tests.store.factories import provenance, record

pytestmark = pytest.mark.attack
SLOW = pytest.mark.slow

PARAMETERS = ("query", "metric", "page", "beside", "answers", "a", "b", "seeds", "embed", "of_data", "condition_query")
SQL = (
    "select",
    '"quoted"',
    "it's",
    "order by",
    "group",
    "true",
    "shift",
    "wanted",
    "records",
    "a_right",
    "b_answer",
    "*",
)
VIEWS = ("created", "finished", "path", "commit", "listed", "latest", "runs")
FRAMES = ("side", "condition", "estimate", "n", "low", "index", "level_0", "key", "task", "kind", "__x")
LETTERS = ("with space", " ", "a.b", "a[0]", "a:b", "{c}", "$x$", "été", "😀", "\u202eabc", "a\nb", "None", "x" * 3000)
NAMES = (*PARAMETERS, *SQL, *VIEWS, *FRAMES, *LETTERS)
ODD_VALUES = ("", "any", "none", "²", "-0", "%FF", "nan", "NULL", "'; DROP", "<b>", "😀", "a\nb", "x" * 3000, "\u202ea")
PLACES = ("", "episodes", "compare", "provenance", "sweeps")


def write_run(results: Path, *conditions: Mapping[str, Any], models: tuple[str, ...] = ("m", "n")) -> Run:
    """A finished run of a study without a page, with twelve queries under each condition."""
    named = [{"name": model, "fingerprint": "0"} for model in models]
    with Run.open(results, "custom", {"models": named, "seed": 0}) as run:
        for m, model in enumerate(models):
            for c, condition in enumerate(conditions):
                answers = [record(query, 0, "custom", **condition) for query in range(12)]
                run.commit(f"{m}-{c}", [_answered_by(model, m, answer) for answer in answers])
        run.finish(provenance())
    return run


def _answered_by(model: str, number: int, answer: Record) -> Record:
    query = answer.query_id
    return replace(answer, model=model, pair=str(query % 6), correct_open=query % 3 > number)


def check_page(app: AppTest) -> str:
    """The text of a page that has no exception."""
    assert not app.exception, app.exception[0].message
    return page_text(app)


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("sys.argv", ["app.py", "--results", str(tmp_path)])
    return tmp_path


@pytest.mark.parametrize("page", PLACES)
def test_all_names_at_once(results: Path, page: str) -> None:
    write_run(results, dict.fromkeys(NAMES, 0), dict.fromkeys(NAMES, 1))
    check_page(open_page(page))


@pytest.mark.parametrize(
    "name", ["query", "metric", "embed", "of_data", "condition_query", "None", "a.b", "😀", '"quoted"']
)
def test_a_link_to_a_condition_of_any_name_selects_it(results: Path, name: str) -> None:
    run = write_run(results, {name: 0}, {name: 1})
    address = episodes_page.link(Source("m", 0, read_info(run.path)), {name: 1})
    text = check_page(open_page("episodes", **address))
    assert "12 episodes" in text
    assert "there is no" not in text


@pytest.mark.parametrize("name", NAMES)
def test_every_view_has_the_column(tmp_path: Path, name: str) -> None:
    write_run(tmp_path, {name: 0}, {name: 1})
    with connect(tmp_path) as connection:
        for view in ("records", "latest"):
            query = f"SELECT {quoted_names([name])}, count(*) FROM {view} GROUP BY 1 ORDER BY 1"
            assert connection.execute(query).fetchall() == [(0, 24), (1, 24)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "page"), [(name, ("episodes", "compare")[number % 2]) for number, name in enumerate(NAMES[::3])]
)
def test_each_name_alone(results: Path, name: str, page: str) -> None:
    write_run(results, {name: 0}, {name: 1})
    check_page(open_page(page))


@pytest.mark.parametrize("page", ["episodes", pytest.param("compare", marks=SLOW)])
def test_values_of_any_text(results: Path, page: str) -> None:
    write_run(results, *({"value": value, "number": number} for number, value in enumerate(ODD_VALUES)))
    check_page(open_page(page))


@pytest.mark.parametrize("page", ["episodes", pytest.param("compare", marks=SLOW)])
def test_values_of_any_number(results: Path, page: str) -> None:
    numbers = (0.0, -0.0, 1e300, -1e-300, 0.1, float("inf"), float("nan"), 2.0**53)
    write_run(results, *({"value": value, "number": 2**63 - 1 - n} for n, value in enumerate(numbers)))
    check_page(open_page(page))


@pytest.mark.parametrize("page", PLACES)
def test_models_of_any_name(results: Path, page: str) -> None:
    write_run(results, {"shots": 4}, models=("", "none", "²", "x" * 3000, "a\nb", "😀", "<b>", "any"))
    check_page(open_page(page))


ADDRESSES = {
    "superscript": "²",
    "Devanagari": "१",
    "minus zero": "-0",
    "negative": "-1",
    "infinite": "1e999",
    "not a number": "NaN",
    "NUL": "\0",
    "long": "x" * 10_000,
    "many digits": "9" * 10_000,
    "twenty digits": "9" * 20,
    "escape": "%FF",
    "empty": "",
    "blank": " ",
    "quotes": "'\"",
    "markup": "<script>alert(1)</script>",
    "emoji": "💥",
    "list": "[1]",
    "hexadecimal": "0x1",
    "path": "../..",
    "lines": "\r\n",
    "repeated": ["1", "²"],
    "none": [],
}
KEYS = (
    *("run", "model", "beside", "metric", "answers", "query", "page", "study", "a", "b", "by", "models", "seeds"),
    *("all", "sweep", "of_data", "of_shots", "false_ratio", "shots", "pair", "true_name", "unknown"),
)


@pytest.mark.parametrize("page", ["episodes", pytest.param("compare", marks=SLOW)])
@pytest.mark.parametrize("value", ADDRESSES)
def test_a_value_of_every_parameter(results: Path, page: str, value: str) -> None:
    check_page(open_page(page, **dict.fromkeys(KEYS, ADDRESSES[value])))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "value"),
    [
        (page, value)
        for (p, page), (v, value) in product(enumerate(PAGES), enumerate(ADDRESSES))
        if (p + v) % 12 == 0  # every value on some pages, and every page with some values
    ],
)
def test_a_value_of_every_parameter_of_any_page(results: Path, page: str, value: str) -> None:
    check_page(open_page(page, **dict.fromkeys(KEYS, ADDRESSES[value])))


@pytest.mark.parametrize("number", ["²", "१", "-0", "9" * 20, "1e3"])
def test_an_odd_number_of_a_query_is_no_number(results: Path, number: str) -> None:
    assert f"Query {number}: must be a number, 0 or more." in check_page(open_page("episodes", query=number))


@pytest.mark.slow
def test_no_parameter_of_a_page_is_that_of_a_condition(results: Path) -> None:
    pages = [open_page(page) for page in ("", "false_ratio", "compare", "provenance", "episodes")]
    kinds = ("selectbox", "multiselect", "toggle", "text_input")
    bound = {str(widget.key) for page in pages for kind in kinds for widget in page.get(kind)}
    conditions = set(read_records(shipped_results()).columns) - {"run", "study", "model"}
    controls = bound - conditions
    assert {"study", "run", "model", "a", "b", "by", "models", "seeds", "metric", "answers", "query"} <= controls
    run = all_runs(shipped_results())[0][0]
    for control in controls - {"model"}:  # no condition is named like a column of all records
        address = episodes_page.link(Source("m", 0, run), {control: 1})
        assert address == {"run": run.run, "model": "m", f"condition_{control}": "1"}


@pytest.mark.parametrize(
    "values",
    [
        {"run": 1},
        {"FILENAME": 1},
        {"Seed": 1},
        {"": 1},
        {"a\0b": 1},
        {"\ud800": 1},
        {"a": "\0"},
        {"a": "\udcff"},
        {"a": 2**63},
        {"a": [1]},
        {"a": b"x"},
        {"a": {"b": 1}},
        {"a": 1, "A": 2},
    ],
)
def test_a_condition_that_cannot_be_stored_is_refused_when_it_is_created(values: dict[str, Any]) -> None:
    with pytest.raises(UserError) as caught:
        Condition(values, 1, lambda query: pytest.fail("nothing is evaluated"))
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value).encode("unicode_escape")) < 300


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shipped runs among more than a hundred broken ones."""
    results = copy_shipped(tmp_path_factory.mktemp("damaged"), "false_ratio", "zero_shot")
    template = write_run(results, {"shots": 4}, {"shots": 8})
    hour = 0

    def copy(study: str) -> Path:
        nonlocal hour
        hour += 1
        path = results / study / f"2031{hour // 24 % 12 + 1:02}01-{hour % 24:02}0000-{template.path.name[-8:]}"
        shutil.copytree(template.path, path)
        return path

    for edit in (*NEW_COLUMNS.values(), *EDITED_COLUMNS.values()):
        path = copy("false_ratio")
        forget_checksums(path)
        edit_table(path / "records.parquet", edit)
    for damage in NOT_FILES.values():
        for file in ("config.json", "manifest.json", "events.jsonl", "records.parquet"):
            damage(copy("zero_shot") / file)
    for text in TEXTS.values():
        for file in ("config.json", "manifest.json"):
            (copy("shots") / file).write_bytes(text)
    for config in CONFIGS.values():
        path = copy("custom")
        edit_json(path / "config.json", lambda content, config=config: content["config"].update(config))
        rename_to_its_hash(path)
    for share in (0.1, 0.5, 0.9):
        flip(copy("order") / "records.parquet", share)
    path = copy("order")
    path.rename(path.with_name(f"20261399-256199-{path.name[-8:]}"))
    path = copy("order")
    for name in (b"caf\xe9", b"sweeps/caf\xe9"):
        (results / os.fsdecode(name)).mkdir(parents=True)
    path.rename(results / os.fsdecode(b"caf\xe9") / path.name)
    (results / os.fsdecode(b"sweeps/caf\xe9") / "events.jsonl").write_text("")
    for number, damage in enumerate(NOT_FILES.values()):
        (results / "sweeps" / str(number)).mkdir()
        damage(results / "sweeps" / str(number) / "events.jsonl")
    return results


def test_only_intact_runs_are_readable(damaged: Path) -> None:
    readable, broken = all_runs(damaged)
    assert {run.study for run in readable} == {"false_ratio", "zero_shot", "custom"}
    assert len(readable) == 3
    assert len(broken) > 100


@pytest.mark.parametrize("page", ["", "provenance"])
def test_broken_runs_are_listed(damaged: Path, page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["app.py", "--results", str(damaged)])
    assert "20261399-256199" in check_page(open_page(page))


@pytest.mark.parametrize("page", ["episodes", "sweeps", *(pytest.param(page, marks=SLOW) for page in PAGES)])
def test_each_page_shows_what_can_be_read(damaged: Path, page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["app.py", "--results", str(damaged)])
    check_page(open_page(page))


def test_damage_since_the_page_was_opened_is_noticed(results: Path) -> None:
    run = write_run(results, {"shots": 4})
    assert "12 episodes" in check_page(open_page("episodes"))
    flip(run.path / "records.parquet", 0.5)
    text = check_page(open_page("provenance"))
    assert "records.parquet: its SHA-256" in text
    assert "There are no runs yet." in text


def test_the_report_of_a_study_with_odd_names(tmp_path: Path) -> None:
    names = [name for name in NAMES if len(name) < 100]

    def design(config: lcl.EpisodeConfig) -> lcl.Design:
        dataset = lcl.load_dataset("world-100")

        def draw(query: int) -> lcl.Episode:
            return lcl.draw_episode(dataset, config.seed, query, shots=2)

        return lcl.episode_design(dataset, 4, [(dict.fromkeys(names, value), draw) for value in (0, 1)])

    study = lcl.Study("odd_names", design, doc="Odd names.")
    result = lcl.run_study(study, model="mini/prototype", queries=4, results=tmp_path)
    assert set(names) <= set(result.records.columns)
    result.to_latex(tmp_path / "latex")
