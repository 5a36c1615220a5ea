"""Records on disk: append-only, atomic, resumable, with provenance; DuckDB reads them.

A study opens a `Run`, commits the records of one cell after the other, and finishes with its `Provenance`. A killed
study opens the same run again and commits the cells that are missing. `connect` gives all runs to SQL.
"""

from __future__ import annotations

from lcl_lab.store.provenance import Provenance, collect
from lcl_lab.store.query import BrokenRun, RunInfo, broken_runs, connect, connect_to, read_run, runs
from lcl_lab.store.record_diff import records_digest, same_records
from lcl_lab.store.records import FIXED, Record, Shown, record_schema, to_table
from lcl_lab.store.run import Run, read_events

__all__ = [
    "FIXED",
    "BrokenRun",
    "Provenance",
    "Record",
    "Run",
    "RunInfo",
    "Shown",
    "broken_runs",
    "collect",
    "connect",
    "connect_to",
    "read_events",
    "read_run",
    "record_schema",
    "records_digest",
    "runs",
    "same_records",
    "to_table",
]
