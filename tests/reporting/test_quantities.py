from __future__ import annotations

import pytest

from lcl_lab.reporting import format_duration, format_latency, format_size


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 s"),
        (7.6, "8 s"),
        (59.6, "1 min 0 s"),
        (80, "1 min 20 s"),
        (7_500, "2 h 5 min"),
        (273_600, "3 d 4 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.0 µs"),
        (5.9e-05, "59 µs"),
        (0.0042, "4.2 ms"),
        (0.94, "940 ms"),
        (3.25, "3.3 s"),
        (11.6, "12 s"),
        (80, "1 min 20 s"),
    ],
)
def test_times_of_answers(seconds: float, text: str) -> None:
    assert format_latency(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (3_400_000, "3.4 MB"), (5 * 10**16, "50000.0 TB")]
)
def test_sizes(size: int, text: str) -> None:
    assert format_size(size) == text
