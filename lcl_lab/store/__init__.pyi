from .arrow import record_schema, to_table
from .event_log import read_events
from .inspection import BrokenRun, RunInfo
from .looks import count_look
from .provenance import Provenance, collect
from .query import all_runs, broken_runs, connect, connect_to, read_info, read_records, read_run, runs
from .record_diff import records_digest, same_records
from .records import FIXED, Record, SupportExample, check_condition
from .run_directory import Run
from .shards import quoted_names

__all__ = [
    "FIXED",
    "BrokenRun",
    "Provenance",
    "Record",
    "Run",
    "RunInfo",
    "SupportExample",
    "all_runs",
    "broken_runs",
    "check_condition",
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
