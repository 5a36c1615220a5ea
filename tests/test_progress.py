from __future__ import annotations

import time

import pytest

from lcl_lab.progress import track


def test_items_pass_through_and_the_bar_is_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(track([1, 2, 3], "counting")) == [1, 2, 3]
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "counting" in captured.err and "100%" in captured.err


def test_a_delayed_bar_appears_only_in_long_loops(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(track(iter("abc"), "short", 3, delay=10)) == ["a", "b", "c"]
    assert capsys.readouterr().err == ""
    for _ in track(range(3), "long", delay=0.01):
        time.sleep(0.02)
    assert "long" in capsys.readouterr().err


def test_a_loop_that_stops_early_ends_the_bar(capsys: pytest.CaptureFixture[str]) -> None:
    items = track(range(5), "stopping")
    next(items)
    items.close()  # type: ignore[attr-defined]
    assert "stopping" in capsys.readouterr().err
