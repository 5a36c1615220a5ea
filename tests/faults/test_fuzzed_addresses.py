"""Addresses of the dashboard with arbitrary parameters: every page shows something, and none has an exception."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dashboard.factories import PAGES, open_page
from tests.faults.test_odd_columns import ADDRESSES, KEYS

pytestmark = pytest.mark.attack

FEW = settings(max_examples=5, derandomize=True, deadline=None, database=None)
MANY = settings(FEW, max_examples=12)


def _addresses() -> st.SearchStrategy[dict[str, str | list[str]]]:
    # A browser sends UTF-8, which has no halves of surrogates; Streamlit keeps two names for itself.
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
    names = st.sampled_from(KEYS) | text.filter(lambda name: name.lower() not in ("embed", "embed_options"))
    real = st.sampled_from(["mini/base", "mini/mix", "0", "1", "2", "16", "all", "flipped", "right", "open-ended"])
    value = real | st.sampled_from([value for value in ADDRESSES.values() if isinstance(value, str)]) | text
    return st.dictionaries(names, value | st.lists(value, max_size=3), max_size=6)


def check(page: str, address: dict[str, str | list[str]]) -> None:
    app = open_page(page, **address)
    assert not app.exception, app.exception[0].message
    assert app.title


@pytest.fixture(autouse=True)
def shipped(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The dashboard shows the shipped results, since the folder has none."""
    monkeypatch.setattr(sys, "argv", ["app.py", "--results", str(tmp_path_factory.mktemp("empty"))])


@pytest.mark.parametrize("page", ["episodes", "compare", "false_ratio"])
@FEW
@given(address=_addresses())
def test_any_address(page: str, address: dict[str, str | list[str]]) -> None:
    check(page, address)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
@MANY
@given(address=_addresses())
def test_many_addresses(page: str, address: dict[str, str | list[str]]) -> None:
    check(page, address)
