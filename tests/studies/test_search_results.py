from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lcl_lab.reporting import table_text
from lcl_lab.studies import SEARCH_FILE, read_search, search_sections

OPTIONS = [
    {"name": "learning_rate", "kind": "loguniform", "values": [1e-5, 1e-3]},
    {"name": "lora", "kind": "choice", "values": [4, 8]},
]


def write(folder: Path, values: list[float | None], metric: str = "held_out_accuracy", mode: str = "max") -> None:
    """A search whose trials have these values, and one that has not finished."""
    names = [f"2-way-seed-0-{number:06x}" for number in range(len(values))]
    search = {"metric": metric, "mode": mode, "options": OPTIONS, "trials": [*names, "2-way-seed-0-running"]}
    (folder / "trials").mkdir(exist_ok=True)
    (folder / SEARCH_FILE).write_text(json.dumps(search))
    for number, (name, value) in enumerate(zip(names, values, strict=True)):
        setting = {"learning_rate": 1.2345e-5 * (number + 1), "lora": 4 + 4 * (number % 2)}
        mark: dict[str, Any] = {"setting": setting, "metric": metric, "value": value}
        (folder / "trials" / f"{name}.json").write_text(json.dumps(mark))


def test_the_best_trial_is_first_and_its_options_are_stated(tmp_path: Path) -> None:
    write(tmp_path, [0.5, None, 0.75, 0.625])
    stopped = {"setting": {"learning_rate": 1e-4, "lora": 4}, "stopped": {"step": 2, "accuracy": 0.9}}
    (tmp_path / "trials" / "2-way-seed-0-000001.json").write_text(json.dumps(stopped))
    results = read_search(tmp_path)
    assert results is not None
    assert results.trials["trial"].str[-1].tolist() == ["2", "3", "0", "1"]
    assert results.trials["status"].tolist() == ["finished"] * 3 + ["stopped early"]
    assert results.best == ["2-way-seed-0-000002"]
    search, options = search_sections(results)
    assert search.statements[0].text == (
        "2-way-seed-0-000002 has the largest held-out accuracy of 3 trials, 0.750: learning_rate 3.7035e-05, lora 4."
    )
    assert "biased in its favour" in search.statements[1].text
    shown = table_text(search.tables[0])
    assert shown["learning_rate"].tolist()[0] == "3.7035e-05"
    assert shown["held-out accuracy"].tolist() == ["0.750", "0.625", "0.500", "–"]
    assert options.statements[0].text.startswith("Importance is not estimated")


def test_a_search_for_small_values_has_the_smallest_first(tmp_path: Path) -> None:
    write(tmp_path, [0.5, 0.25], metric="shots/brier/candidate", mode="min")
    results = read_search(tmp_path)
    assert results is not None
    assert results.trials["value"].tolist() == [0.25, 0.5]
    assert "the smallest shots/brier/candidate of 2 trials" in next(iter(search_sections(results))).statements[0].text


@pytest.mark.parametrize(
    ("trials", "ending"), [(12, "; with fewer than 24 trials this may be due to chance."), (24, ".")]
)
def test_importance_is_stated_with_a_warning_where_trials_are_few(tmp_path: Path, trials: int, ending: str) -> None:
    write(tmp_path, [number / 100 for number in range(trials)])
    results = read_search(tmp_path)
    assert results is not None
    _, options = search_sections(results)
    assert options.statements[0].text.startswith(
        f"learning_rate distinguishes the best quarter of the {trials} trials most, with an importance of "
    )
    assert options.statements[0].text.endswith(ending)
    assert options.tables[0].frame["importance"].sum() == pytest.approx(1)


def test_equal_values_are_a_tie(tmp_path: Path) -> None:
    write(tmp_path, [0.7] * 9)
    results = read_search(tmp_path)
    assert results is not None
    search, options = search_sections(results)
    assert [statement.text for statement in search.statements] == [
        "9 of 9 trials share the largest held-out accuracy, 0.700."
    ]
    assert options.statements[0].text.startswith("Importance is not estimated")


def stored(**option: Any) -> str:
    options = [{"name": "lora", "kind": "randint", "values": [1, 2], **option}]
    return json.dumps({"metric": "a", "mode": "max", "trials": [], "options": options})


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", '{"metric": 3}', '{"metric": "a", "mode": "up", "options": []}'),
        *(stored(values=values) for values in ([], [1], ["a", "b"], [2, 1], [True, 2])),
        *(stored(name="trial"), stored(kind="loguniform", values=[0, 1]), stored(kind="normal")),
    ],
)
def test_a_damaged_search_is_none(tmp_path: Path, content: str) -> None:
    assert read_search(tmp_path) is None
    (tmp_path / SEARCH_FILE).write_text(content)
    assert read_search(tmp_path) is None


def test_a_search_without_finished_trials_or_with_marks_of_another_has_no_section(tmp_path: Path) -> None:
    write(tmp_path, [0.5, 0.25])
    for name, mark in (("000000", {"setting": {"lora": 4}}), ("000001", {"setting": {"learning_rate": 1, "lora": 4}})):
        (tmp_path / "trials" / f"2-way-seed-0-{name}.json").write_text(json.dumps(mark))
    results = read_search(tmp_path)
    assert results is not None
    assert results.count == 3
    assert list(search_sections(results)) == []
