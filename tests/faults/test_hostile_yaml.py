"""Files and options in YAML or JSON that are damaged, huge or hostile: one line, and quickly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lcl_lab.commands import main
from lcl_lab.errors import UserError
from lcl_lab.studies.study_config import EpisodeConfig
from lcl_lab.sweeps import SweepConfig
from lcl_lab.yaml_reading import read_yaml

pytestmark = [pytest.mark.attack, pytest.mark.timeout(60)]

DEEP = 20_000
LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefghi", "bcdefghij", strict=True)
)
FILES: dict[str, tuple[bytes, str]] = {
    "nested lists": (b"model: " + b"[" * DEEP, "nested too deeply"),
    "nested lists, closed": (b"model: " + b"[" * 1000 + b"]" * 1000, "nested too deeply"),
    "nested mappings": (b"model: " + b"{a: " * 20_000, "nested too deeply"),
    "nested blocks": (b"".join(b" " * depth + b"a:\n" for depth in range(600)), "nested too deeply"),
    "fewer levels": (b"model: " + b"[" * 100 + b"]" * 100, "nested too deeply; at most 32 levels"),
    "billion laughs": (LAUGHS.encode(), "more than 100000 values"),
    "recursive alias": (b"model: &a [*a]", "nested too deeply"),
    "recursive key": (b"&a {*a : 1}", "not YAML"),
    "100 MB": (b"model: x\n" * (100 << 20 >> 3), "larger than 256 KiB"),
    "long line": (b"model: " + b"x" * 300_000, "larger than 256 KiB"),
    "python object": (b"model: !!python/object/apply:os.system [echo]", "could not determine a constructor"),
    "python name": (b"model: !!python/name:os.system", "could not determine a constructor"),
    "timestamp tag": (b"model: !!timestamp 2026-01-01", "could not determine a constructor"),
    "set tag": (b"model: !!set {a, b}", "could not determine a constructor"),
    "binary tag": (b"model: !!binary aGVsbG8=", "could not determine a constructor"),
    "own tag": (b"model: !mine x", "could not determine a constructor"),
    "wrong bool tag": (b"fresh: !!bool maybe", "neither true nor false"),
    "wrong int tag": (b"queries: !!int many", "is not a number"),
    "wrong float tag": (b"queries: !!float many", "is not a number"),
    "int tag of a list": (b"queries: !!int [1]", "not YAML: line 1"),
    "duplicate key": (b"seed: 1\nseed: 2", "the key 'seed' occurs twice"),
    "duplicate key inside": (b"extra_body: {top_k: 1, top_k: 2}", "the key 'top_k' occurs twice"),
    "tabs": (b"model:\n\t- x", "found character '\\t' that cannot start any token"),
    "NUL": (b"model: a\0b", "special characters are not allowed"),
    "escape character": (b"model: a\x1b[2Jb", "special characters are not allowed"),
    "UTF-16": ("model: x".encode("utf-16"), "is not text in UTF-8"),
    "Latin-1": ("model: é".encode("latin-1"), "is not text in UTF-8"),
    "binary": (bytes(range(256)), "is not text in UTF-8"),
    "half of a surrogate pair": (rb'model: "\ud800"', "is not text in the encoding"),
    "NUL as an escape": (rb'model: "a\0b"', "must not contain a NUL character"),
    "empty": (b"", "must contain `key: value` lines"),
    "comment": (b"# nothing", "must contain `key: value` lines"),
    "text": (b"model", "must contain `key: value` lines"),
    "list": (b"- model", "must contain `key: value` lines"),
    "two documents": (b"seed: 1\n---\nseed: 2", "found another document"),
    "number as key": (b"1: 2", "the key 1 must be text"),
    "list as key": (b"[a]: 2", "not YAML: line 1"),
    "merge of a text": (b"<<: x", "not YAML: line 1"),
    "unknown alias": (b"model: *a", "found undefined alias"),
    "not a number": (b"seed: .nan", "'.nan' is not a finite number"),
    "infinite": (b"seed: -.inf", "'-.inf' is not a finite number"),
    "overflow": (b"seed: 1e400", "'1e400' is not a finite number"),
    "JSON NaN": (b'{"seed": NaN}', "'NaN' is not a finite number"),
    "10 000 digits": (b"seed: " + b"9" * 10_000, "is not a number that can be read"),
    "large integer": (b"seed: 9223372036854775808", "must be at most 9223372036854775807"),
    "true as integer": (b"seed: true", "seed True: must be an integer"),
    "true in a list of integers": (b"queries: [true]", "queries True: must be an integer"),
    "date as integer": (b"seed: 2026-01-01", "seed 2026-01-01: must be an integer"),
    "number as text": (b"revision: 5", "revision 5: must be text; put it in quotes"),
    "true as text": (b"revision: true", "revision True: must be text; put it in quotes"),
    "list as text": (b"revision: [a]", "revision a: must be text; put it in quotes"),
    "mapping as text": (b"revision: {a: b}", "revision: must be text; put it in quotes"),
    "mapping as list": (b"model: {a: b}", "model: must be a list"),
    "empty text": (b"model: ''", "model: must not be empty"),
    "blank text": (b"data: '  '", "data: must not be empty"),
}


def one_line(act: Callable[[], object]) -> str:
    with pytest.raises(UserError) as caught:
        act()
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    assert len(line) < 2000
    return line


@pytest.mark.parametrize("attack", FILES)
def test_a_damaged_file_of_a_study_is_one_line(attack: str, tmp_path: Path) -> None:
    content, reason = FILES[attack]
    file = tmp_path / "options.yaml"
    file.write_bytes(content)
    line = one_line(lambda: EpisodeConfig.create(None, file))
    assert reason in line
    assert str(file) in line


@pytest.mark.parametrize("attack", [name for name, (_, reason) in FILES.items() if "must be" not in reason])
def test_a_damaged_file_of_a_sweep_is_one_line(attack: str, tmp_path: Path) -> None:
    content, _ = FILES[attack]
    file = tmp_path / "sweep.yaml"
    file.write_bytes(content)
    assert str(file) in one_line(lambda: SweepConfig.from_file(file))


def test_what_is_no_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path in (tmp_path, tmp_path / "loop", tmp_path / "none", tmp_path / ("x" * 5000)):
        assert one_line(lambda path=path: read_yaml(path, option="config"))  # type: ignore[misc]


def test_an_endless_file_is_one_line() -> None:
    assert "larger than 256 KiB" in one_line(lambda: read_yaml(Path("/dev/zero"), option="config"))


OPTIONS = {
    "nested": "{a: " + "[" * DEEP,
    "nested JSON": '{"a": ' + "[" * 500 + "]" * 500 + "}",
    "nested value": "size=" + "[" * DEEP,
    "laughs": "{" + LAUGHS.replace("\n", ", ") + "}",
    "100 MB": "size=" + "x" * (100 << 20),
    "object": "size=!!python/object/apply:os.system [echo]",
    "NaN": "size=.nan",
    "JSON NaN": '{"size": NaN}',
    "JSON infinity": '{"size": -Infinity}',
    "overflow": "size=1e999",
    "duplicate": '{"a": 1, "a": 2}',
    "key of a number": "{1: 2}",
    "unfinished": '{"a": ',
    "list": "[1, 2]",
    "no value": "size",
    "empty": "",
    "NUL": "size=\0",
    "surrogate": "size=\udcff",
    "set": "size=!!set {a}",
}


@pytest.mark.parametrize("option", ["processor", "extra_body"])
@pytest.mark.parametrize("attack", OPTIONS)
def test_hostile_keys_and_values_are_one_line(attack: str, option: str) -> None:
    assert one_line(lambda: EpisodeConfig.create(**{option: OPTIONS[attack]})).startswith(option)


@pytest.mark.parametrize("value", [{"a": {1, 2}}, {1: 2}, {"a": float("inf")}, {"a": object()}, {"a": b"x"}])
def test_mappings_of_other_values_than_json_are_refused_in_python(value: object) -> None:
    assert one_line(lambda: EpisodeConfig.create(extra_body=value)).startswith("extra_body")


def test_the_command_ends_with_one_line_and_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "options.yaml"
    file.write_bytes(FILES["nested lists"][0])
    with pytest.raises(SystemExit) as ended:
        main(["study", "shots", "--config", str(file)])
    printed = capsys.readouterr()
    assert (ended.value.code, printed.out) == (2, "")
    assert printed.err == f"error: --config {file}: not YAML: is nested too deeply\n"
