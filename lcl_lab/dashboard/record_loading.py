"""The records of selected models and seeds, read by SQL with only the columns that studies use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from lcl_lab import store
from lcl_lab.dashboard.run_index import Source

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

    from lcl_lab.studies.study import Supports

__all__ = ["connect_runs", "load_records"]

_UNREAD = ("support", "run", "filename", "episode_id", "query_image", "question")
_LAST_LABEL = "CASE WHEN records.loglik_true_grey IS NOT NULL THEN example.label END"
"""What calibrated choices need of the last example."""
_SEED_OFFSET = 1_000_000  # between the query ids of two seeds


def connect_runs(runs: Iterable[store.RunInfo]) -> duckdb.DuckDBPyConnection:
    """A connection with the view `records` of the given runs. New at every call: pages are drawn in threads."""
    return store.connect_to(list({run.run: run for run in runs}.values()))


def load_records(sources: Sequence[Source], supports: Supports | None = None) -> pd.DataFrame:
    """The records of the given sources. Query and support ids of different seeds are shifted apart.

    Args:
        sources: models, seeds and their runs.
        supports: the records whose supports are needed, and what of them; full supports would dominate memory.
            Runs that calibrate also have the last label.
    """
    seeds = sorted({source.seed for source in sources})
    wanted = [(source.run.run, source.model, seeds.index(source.seed) * _SEED_OFFSET) for source in sources]
    column, value, fields = supports or ("study", "", ("false",))  # no study has an empty name
    of_example = {"label": _LAST_LABEL} | {name: f'example."{name}"' for name in fields}
    example = "{" + ", ".join(f"'{name}': {expression}" for name, expression in of_example.items()) + "}"
    with connect_runs(source.run for source in sources) as connection:
        connection.execute("CREATE TABLE wanted (run VARCHAR, model VARCHAR, shift BIGINT)")
        connection.executemany("INSERT INTO wanted VALUES (?, ?, ?)", wanted)
        return connection.execute(
            f"SELECT records.* EXCLUDE ({', '.join(_UNREAD)}) "
            "REPLACE (query_id + wanted.shift AS query_id, support_id + wanted.shift AS support_id), "
            f"CASE WHEN records.{store.quoted_names([column])} = ? "
            f"THEN list_transform(records.support, lambda example: {example}) "
            f"WHEN records.loglik_true_grey IS NOT NULL "
            f"THEN list_transform(records.support[-1:], lambda example: {example}) END AS support "
            "FROM records JOIN wanted USING (run, model)",
            [value],
        ).df()
