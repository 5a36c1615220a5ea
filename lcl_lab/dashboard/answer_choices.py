"""What answers can be filtered by: the values of conditions, and the metrics that there is data for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from lcl_lab.analysis import METRICS
from lcl_lab.dashboard.record_loading import connect_runs
from lcl_lab.dashboard.run_index import Source, SourceState
from lcl_lab.store import FIXED, quoted_names
from lcl_lab.store.records import RESERVED

__all__ = ["address_value", "condition_columns", "condition_values", "metrics_of"]

_MAX_CHOICES = 1000  # values of a control


@st.cache_data(max_entries=256, show_spinner=False)
def condition_values(state: SourceState, _source: Source) -> dict[str, list[str]]:
    """The values of each condition column, of pairs and of true names, as text; cached while the run is unchanged."""
    with connect_runs([_source.run]) as connection:
        columns = [str(row[0]) for row in connection.execute("DESCRIBE records").fetchall()]
        choices = {}
        for name in [*condition_columns(columns), "pair", "true_name"]:
            rows = connection.execute(f"SELECT DISTINCT {quoted_names([name])} FROM records ORDER BY 1").fetchall()
            choices[name] = [address_value(value) for (value,) in rows if value is not None]
        return {name: values for name, values in choices.items() if 0 < len(values) <= _MAX_CHOICES}


@st.cache_data(max_entries=256, show_spinner=False)
def metrics_of(state: SourceState, _source: Source, metrics: Sequence[str]) -> list[str]:
    """Those of `metrics` that any record of a source has a value for."""
    counts = ", ".join(f"count({METRICS[metric]})" for metric in metrics)
    with connect_runs([_source.run]) as connection:
        row = connection.execute(f"SELECT {counts} FROM records WHERE model = ?", [_source.model]).fetchone()
    return [metric for metric, count in zip(metrics, row or (), strict=True) if count]


def condition_columns(columns: Sequence[str]) -> list[str]:
    """Those columns of records that are condition columns."""
    return [column for column in columns if column not in (*FIXED, *RESERVED)]


def address_value(value: Any) -> str:
    """A value of a condition as it is written in addresses and controls."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
