from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lcl_lab.errors import UserError
from lcl_lab.yaml_reading import check_json_values, parse_yaml, read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("010", 10),
        ("-3", -3),
        ("1e-4", 1e-4),
        ("2.5", 2.5),
        (".5", 0.5),
        ("1_000", "1_000"),
        ("0x10", "0x10"),
        ("1:30", "1:30"),
        ("no", "no"),
        ("true", True),
        ("2026-01-01", "2026-01-01"),
        ("'5'", "5"),
        ("~", None),
        ("", None),
        ("{a: [1, b], c: {d: null}}", {"a": [1, "b"], "c": {"d": None}}),
        ('{"a": "\\u00e9", "b": [1e3]}', {"a": "é", "b": [1000.0]}),
        ("a: &a {x: 1}\nb: {<<: *a, x: 2}", {"a": {"x": 1}, "b": {"x": 2}}),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: Any) -> None:
    found = parse_yaml(text)
    assert (found, type(found)) == (value, type(value))


def test_a_file_may_start_with_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "options.yaml"
    file.write_bytes("queries: 3\n".encode("utf-8-sig"))
    assert read_yaml(file) == {"queries": 3}


def test_a_mistake_names_its_line(tmp_path: Path) -> None:
    file = tmp_path / "options.yaml"
    file.write_text("seed: 1\nqueries: 2\nseed: 3\n")
    with pytest.raises(UserError) as caught:
        read_yaml(file, option="config")
    assert str(caught.value) == f"config {file}: not YAML: line 3: the key 'seed' occurs twice"


@pytest.mark.parametrize("value", [{1: 2}, {"a": float("nan")}, {"a": {1, 2}}, {"a": b"x"}, [object()]])
def test_other_values_than_those_of_json_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"must be text|is not a finite number|which is no JSON value"):
        check_json_values(value)
