from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import AfterValidator, Field

from lcl_lab.config import Config, no_repeats
from lcl_lab.errors import UserError
from lcl_lab.yaml_reading import read_yaml


class Options(Config):
    PRESETS = {"default": {}, "tiny": {"queries": 2, "shots": (2,)}}  # noqa: RUF012

    queries: int = Field(10, ge=1)
    shots: Annotated[tuple[int, ...], AfterValidator(no_repeats)] = (2, 4)
    ratio: float = Field(0.5, gt=0, lt=1)
    dtype: Literal["auto", "float32"] = "auto"
    fresh: bool = False


def test_later_sources_take_precedence(tmp_path: Path) -> None:
    file = tmp_path / "options.yaml"
    file.write_text("preset: tiny\nratio: 0.25\n")
    assert Options.create() == Options()
    assert Options.create("tiny").queries == 2
    assert Options.create(None, file) == Options(queries=2, shots=(2,), ratio=0.25)
    assert Options.create("default", file, ratio=0.75) == Options(ratio=0.75)


def test_a_single_value_is_a_list_of_one_and_lists_are_sorted() -> None:
    assert Options.create(shots=8).shots == (8,)
    assert Options.create(shots=[8, 2]).shots == (2, 8)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quieres": 1}, "quieres: unknown option; did you mean 'queries'?"),
        ({"queries": 0}, "queries 0: must be at least 1"),
        ({"queries": "many"}, "queries many: must be an integer"),
        ({"queries": 1.5}, "queries 1.5: must be an integer"),
        ({"ratio": 1}, "ratio 1: must be below 1"),
        ({"ratio": 0}, "ratio 0: must be above 0"),
        ({"ratio": "x"}, "ratio x: must be a number"),
        ({"dtype": "float8"}, "dtype float8: must be one of 'auto' or 'float32'"),
        ({"shots": [2, 2]}, "shots 2 2: must not repeat a value"),
        ({"fresh": "perhaps"}, "fresh perhaps: must be true or false"),
    ],
)
def test_mistakes_are_one_line_with_the_valid_value(options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError) as caught:
        Options.create(**options)
    assert str(caught.value) == message


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(UserError, match="preset tinny: unknown preset; did you mean 'tiny'"):
        Options.create("tinny")


def test_a_mistake_in_a_file_names_the_file_and_one_outside_does_not(tmp_path: Path) -> None:
    file = tmp_path / "options.yaml"
    file.write_text("queries: 0\n")
    with pytest.raises(UserError, match=r"options\.yaml: queries 0: must be at least 1"):
        Options.create(None, file)
    with pytest.raises(UserError) as caught:
        Options.create(None, file, queries=-1)
    assert str(caught.value) == "queries -1: must be at least 1"


@pytest.mark.parametrize(
    ("content", "message"),
    [("a: [", "not YAML: line"), ("- 1\n", "key: value"), (None, "No such file"), (b"\xff\xfe\x00", "not YAML")],
)
def test_unreadable_yaml_is_one_line(content: str | bytes | None, message: str, tmp_path: Path) -> None:
    file = tmp_path / "options.yaml"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=message) as caught:
        read_yaml(file, option="config")
    assert str(caught.value).startswith(f"config {file}: ")
    assert "\n" not in str(caught.value)
