from .arrow import record_schema, to_table
from .event_log import PLANNED, read_events
from .housekeeping import ARCHIVE, TRASH, disk_use, is_open, move_run
from .inspection import BrokenRun, RunInfo
from .looks import count_look
from .provenance import Provenance, collect
from .query import all_runs, broken_runs, connect, connect_to, read_info, read_records, read_run, runs
from .record_diff import records_digest, same_records
from .records import FIXED, Record, SupportExample, check_condition
from .run_directory import Run
from .run_notes import RunNotes, read_notes, write_notes
from .run_progress import RunProgress, read_progress
from .shards import quoted_names

__all__ = [
    "ARCHIVE",
    "FIXED",
    "PLANNED",
    "TRASH",
    "BrokenRun",
    "Provenance",
    "Record",
    "Run",
    "RunInfo",
    "RunNotes",
    "RunProgress",
    "SupportExample",
    "all_runs",
    "broken_runs",
    "check_condition",
    "collect",
    "connect",
    "connect_to",
    "count_look",
    "disk_use",
    "is_open",
    "move_run",
    "quoted_names",
    "read_events",
    "read_info",
    "read_notes",
    "read_progress",
    "read_records",
    "read_run",
    "record_schema",
    "records_digest",
    "runs",
    "same_records",
    "to_table",
    "write_notes",
]
