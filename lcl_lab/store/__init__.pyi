from .arrow import record_schema, to_table
from .looks import count_look
from .provenance import Provenance, collect
from .query import BrokenRun, RunInfo, broken_runs, connect, connect_to, read_info, read_records, read_run, runs
from .record_diff import records_digest, same_records
from .records import FIXED, Record, SupportExample, check_columns
from .run_directory import Run, read_events
from .shards import quoted_names

__all__ = [
    "FIXED",
    "BrokenRun",
    "Provenance",
    "Record",
    "Run",
    "RunInfo",
    "SupportExample",
    "broken_runs",
    "check_columns",
    "collect",
    "connect",
    "connect_to",
    "count_look",
    "quoted_names",
    "read_events",
    "read_info",
    "read_records",
    "read_run",
    "record_schema",
    "records_digest",
    "runs",
    "same_records",
    "to_table",
]
