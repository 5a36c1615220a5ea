from __future__ import annotations

import signal
import sys
import time
from contextlib import suppress

import pytest

from lcl_lab.interrupts import interruptible


def press_ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


def test_an_interrupt_leaves_the_block_and_the_handler_is_restored() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), interruptible():
        press_ctrl_c()
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupt_that_a_library_turns_into_an_error_remains_an_interrupt() -> None:
    with pytest.raises(KeyboardInterrupt), interruptible():
        try:
            press_ctrl_c()
        except KeyboardInterrupt:
            raise ImportError("numpy failed to import") from None


def test_an_interrupt_that_a_library_swallows_is_repeated() -> None:
    with pytest.raises(KeyboardInterrupt), interruptible():
        with suppress(KeyboardInterrupt):
            press_ctrl_c()
        for _ in range(100):
            time.sleep(0.1)
        pytest.fail("not interrupted")


def test_an_interrupt_in_a_finalizer_is_repeated_and_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    class Finalized:
        def __del__(self) -> None:
            press_ctrl_c()

    hook = sys.unraisablehook
    with pytest.raises(KeyboardInterrupt), interruptible():
        Finalized()
        for _ in range(100):
            time.sleep(0.1)
        pytest.fail("not interrupted")
    assert sys.unraisablehook is hook
    assert capsys.readouterr().err == ""


def test_an_interrupt_that_is_being_handled_is_not_repeated() -> None:
    cleaned = False
    with pytest.raises(KeyboardInterrupt), interruptible():
        try:
            press_ctrl_c()
        finally:
            time.sleep(0.5)
            cleaned = True
    assert cleaned


def test_nothing_changes_where_interrupts_are_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruptible():
            press_ctrl_c()
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(ValueError, match="wrong"), interruptible():
        raise ValueError("wrong")
