"""Configuration files with any text or values: a valid configuration, or one line that says what is wrong."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lcl_lab.config import Config
from lcl_lab.errors import UserError
from lcl_lab.studies import find_studies
from lcl_lab.sweeps import SweepConfig
from lcl_lab.training import TrainConfig

pytestmark = pytest.mark.attack

FEW = settings(max_examples=20, derandomize=True, deadline=None, database=None)
MANY = settings(FEW, max_examples=200)
CONFIGS: dict[str, type[Config]] = {
    **{study.name: study.config for study in find_studies()},
    "sweep": SweepConfig,
    "training": TrainConfig,
}
DEFAULT = ("false_ratio", "sweep", "training")
TAGS = ("!!bool x", "!!int ''", "!!timestamp x", "!!float x", "!!set {a}", "!!omap [a: 1]", "!!binary x", "!!str [a]")
SCALARS = ("2026-99-99", "1e999", ".nan", "-.inf", "1" * 5000, '"\\ud800"', "=", "~", "0x", "1:20:30", "no", "''", "-1")
STRUCTURES = (
    "[" * 1000,
    "- " * 1000,
    "&a [*a]",
    "? [a]\n: b",
    "<<: 1",
    "\0",
    "\t",
    "---\n---",
    "%YAML 9.9\n---\na: 1",
    "a: &a [x]\n" + "\n".join(f"{n}: &{n} [{', '.join([f'*{p}'] * 9)}]" for p, n in pairwise("abcdefghijk")),
)


def check(folder: Path, config: type[Config], text: str) -> None:
    """Read a file with a text; a configuration, or an error of one line that a terminal can show."""
    file = folder / "options.yaml"
    file.write_text(text, encoding="utf-8", errors="surrogatepass", newline="")
    try:
        created = config.from_file(file) if issubclass(config, SweepConfig) else config.create(None, file)
    except UserError as error:
        line = str(error)
        assert line.encode() and len(line.splitlines()) == 1
        assert len(line) < 20_000
    else:
        assert isinstance(created, config)
        assert repr(created).encode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("configs")


@pytest.mark.parametrize("name", DEFAULT)
@pytest.mark.parametrize("text", [*TAGS, *SCALARS, *STRUCTURES], ids=lambda text: ascii(text[:12]))
def test_a_text_that_is_no_configuration(folder: Path, name: str, text: str) -> None:
    check(folder, CONFIGS[name], text)


@pytest.mark.parametrize("name", DEFAULT)
@pytest.mark.parametrize("value", [*TAGS, *SCALARS, "[[[1]]]", "{a: {b: c}}", "[{}]", "[null]", "'a\\nb'"])
def test_a_value_of_every_option(folder: Path, name: str, value: str) -> None:
    config = CONFIGS[name]
    for option in map(config.option, config.model_fields):
        check(folder, config, f"{option}: {value}\n")


def _values() -> st.SearchStrategy[Any]:
    scalars = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=8),
        st.dates(),
        st.binary(max_size=4),
        st.sampled_from(["auto", "tiny", "mini/base", "world-100", "folder:x", "0.5", "../..", "file:///", "s3://"]),
    )
    return st.recursive(scalars, _collections, max_leaves=6)


def _collections(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)


def _contents(config: type[Config]) -> st.SearchStrategy[dict[str, Any]]:
    names = st.sampled_from([*map(config.option, config.model_fields), "preset", "unknown"])
    return st.dictionaries(names, _values(), max_size=4)


@pytest.mark.parametrize("name", DEFAULT)
@FEW
@given(data=st.data())
def test_values_of_any_kind(folder: Path, name: str, data: st.DataObject) -> None:
    check(folder, CONFIGS[name], yaml.safe_dump(data.draw(_contents(CONFIGS[name])), allow_unicode=True))


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
@MANY
@given(data=st.data())
def test_many_values_of_any_kind(folder: Path, name: str, data: st.DataObject) -> None:
    check(folder, CONFIGS[name], yaml.safe_dump(data.draw(_contents(CONFIGS[name])), allow_unicode=True))


@FEW
@given(text=st.text(st.sampled_from("abq:{}[]-!&*?|>'\"%@`#,\n\t 019.~<=\\"), max_size=40) | st.text(max_size=20))
def test_any_text(folder: Path, text: str) -> None:
    check(folder, CONFIGS["false_ratio"], text)


@pytest.mark.slow
@MANY
@given(text=st.text(st.sampled_from("abq:{}[]-!&*?|>'\"%@`#,\n\t 019.~<=\\"), max_size=60) | st.text(max_size=40))
def test_much_text(folder: Path, text: str) -> None:
    for config in CONFIGS.values():
        check(folder, config, text)
