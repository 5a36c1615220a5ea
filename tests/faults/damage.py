"""Ways to damage a stored run, each as a function of its directory."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lcl_lab.store.run_layout import config_digest

__all__ = [
    "CONFIGS",
    "CONFIG_CONTENTS",
    "EDITED_COLUMNS",
    "NEW_COLUMNS",
    "NOT_FILES",
    "PROVENANCES",
    "TEXTS",
    "TOTALS",
    "Damage",
    "edit_json",
    "edit_table",
    "flip",
    "forget_checksums",
    "rename_to_its_hash",
]

Damage = Callable[[Path], None]
DEEP = b'{"config": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"


def _replace_by(make: Callable[[Path], Any]) -> Damage:
    def damage(file: Path) -> None:
        file.unlink(missing_ok=True)
        make(file)

    return damage


NOT_FILES: dict[str, Damage] = {
    "a folder": _replace_by(Path.mkdir),
    "a FIFO": _replace_by(os.mkfifo),
    "a link to itself": _replace_by(lambda file: file.symlink_to(file)),
    "a link to nothing": _replace_by(lambda file: file.symlink_to(file.with_name("nothing"))),
    "a link to a device": _replace_by(lambda file: file.symlink_to("/dev/zero")),
}
"""What may be in the place of a file."""

TEXTS: dict[str, bytes] = {
    "empty": b"",
    "half": b'{"config": {"models": [',
    "no object": b"[1]",
    "a number": b"1e400",
    "a huge number": b"1" * 10_000,
    "null": b"null",
    "deep lists": b"[" * 100_000,
    "deep values": DEEP,
    "deep enough to parse": b'{"config": ' + b'{"a":' * 400 + b"1" + b"}" * 401,
    "bytes": bytes(range(256)),
    "UTF-16": '{"config": {}}'.encode("utf-16"),
    "NaN": b'{"config": {"seed": NaN}}',
    "infinite": b'{"config": {"seed": 1e400}}',
    "zeros": bytes(4096),
}
"""Contents that are no JSON object of the right shape."""

CONFIGS: dict[str, dict[str, Any]] = {
    "models are text": {"models": "m"},
    "models are texts": {"models": ["m", "n"]},
    "models have no name": {"models": [{"fingerprint": "0"}]},
    "models have a number as name": {"models": [{"name": 1}]},
    "models have null as name": {"models": [{"name": None}]},
    "models are by name": {"models": {"m": {"fingerprint": "0"}}},
    "models are lists": {"models": [["m"]]},
    "the seed is text": {"seed": "0"},
    "the seed is a fraction": {"seed": 0.5},
    "the seed is true": {"seed": True},
    "the seed is negative": {"seed": -1},
    "the seed is too large": {"seed": 2**64},
    "the seed is a list": {"seed": [0]},
    "the seed is null": {"seed": None},
    "half a surrogate": {"data": "\ud800"},
}
"""Configurations that no reader can use, in directories with the right hash."""

CONFIG_CONTENTS: dict[str, Any] = {
    "no config": {"study": "shots"},
    "the config is a list": {"study": "shots", "config": []},
    "the config is text": {"study": "shots", "config": "x"},
    "another config": {"study": "shots", "config": {"shots": [1]}},
    "another study": {"study": "order", "config": {}},
}

PROVENANCES: dict[str, dict[str, Any]] = {
    "commit": {"commit": 1},
    "dirty": {"dirty": "no"},
    "versions": {"versions": ["1"]},
    "version": {"versions": {"python": 3}},
    "platform": {"platform": None},
    "cpu_count": {"cpu_count": "many"},
    "device": {"device": {}},
    "config": {"config": []},
    "seeds": {"seeds": 0},
    "seed": {"seeds": ["0"]},
    "seconds": {"seconds": "1"},
    "started": {"started": "yesterday"},
    "finished": {"finished": 20261399},
    "command": {"command": ["python"]},
}
"""Values of wrong types in the provenance."""

TOTALS: dict[str, Any] = {
    "a list": [],
    "text": {"records": "4"},
    "null": {"records": None},
    "too many": {"records": 10**30},
    "negative": {"records": -1},
    "none": {},
    "a wrong checksum": {"records": 4, "sha256": "0" * 64},
    "a number as checksum": {"records": 4, "sha256": 0},
}


def _append(name: str, values: Any) -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.append_column(name, values(len(table)))


def _replace(name: str, values: Any) -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.set_column(table.schema.get_field_index(name), name, values(table[name]))


def _repeated(value: Any, kind: pa.DataType | None = None) -> Callable[[int], pa.Array]:
    return lambda rows: pa.array([value] * rows, kind)


NEW_COLUMNS: dict[str, Callable[[pa.Table], pa.Table]] = {
    "filename": _append("filename", _repeated("x")),
    "run": _append("run", _repeated("x")),
    "Filename": _append("Filename", _repeated("x")),
    "RUN": _append("RUN", _repeated(1)),
    "SEED": _append("SEED", _repeated(1)),
    "Model": _append("Model", _repeated("x")),
    "cut_OFF": _append("cut_OFF", _repeated(True)),
    "Shots and shots": _append("Shots", _repeated(1)),
    "seed twice": _append("seed", _repeated(1)),
    "no name": _append("", _repeated(1)),
    "NUL in the name": _append("a\0b", _repeated(1)),
    "a struct": _append("odd", _repeated({"a": 1})),
    "a list": _append("odd", _repeated([1])),
    "a map": _append("odd", _repeated([("a", 1)], pa.map_(pa.string(), pa.int64()))),
    "bytes": _append("odd", _repeated(b"\xff")),
    "bytes of a fixed size": _append("odd", _repeated(b"\xff", pa.binary(1))),
    "decimals": _append("odd", _repeated(Decimal("1.5"))),
    "timestamps": _append("odd", _repeated(0, pa.timestamp("ns"))),
    "timestamps of a zone": _append("odd", _repeated(0, pa.timestamp("us", "UTC"))),
    "dates": _append("odd", _repeated(date(2026, 1, 1))),
    "times": _append("odd", _repeated(time(12))),
}
"""Columns that no condition may have."""

EDITED_COLUMNS: dict[str, Callable[[pa.Table], pa.Table]] = {
    "answer is a number": _replace("answer", lambda column: pa.array(range(len(column)))),
    "answer is bytes": _replace("answer", lambda column: pa.array([b"\xff"] * len(column))),
    "answer is missing": _replace("answer", lambda column: pa.array([None] * len(column), pa.string())),
    "answer has no type": _replace("answer", lambda column: pa.nulls(len(column))),
    "model is a list": _replace("model", lambda column: pa.array([["m"]] * len(column))),
    "model is missing": _replace("model", lambda column: pa.array([None] * len(column), pa.string())),
    "seed is text": _replace("seed", lambda column: column.cast(pa.string())),
    "seed is a fraction": _replace("seed", lambda column: pa.array([0.5] * len(column))),
    "seed is missing": _replace("seed", lambda column: pa.array([None] * len(column), pa.int64())),
    "query_id is huge": _replace("query_id", lambda column: pa.array([2**64 - 1] * len(column), pa.uint64())),
    "correct_open is text": _replace("correct_open", lambda column: pa.array(["yes"] * len(column))),
    "correct_open is a number": _replace("correct_open", lambda column: pa.array([1] * len(column))),
    "score is text": _replace("score", lambda column: pa.array(["1"] * len(column))),
    "seconds is missing": _replace("seconds", lambda column: pa.array([None] * len(column), pa.float64())),
    "status is a number": _replace("status", lambda column: pa.array([0] * len(column))),
    "support is text": _replace("support", lambda column: pa.array(["a"] * len(column))),
    "support is one struct": _replace("support", lambda column: pa.array([{"image": "a"}] * len(column))),
    "support lacks labels": _replace("support", lambda column: pa.array([[{"image": "a"}]] * len(column))),
    "pair is dropped": lambda table: table.drop_columns(["pair"]),
    "everything is dropped": lambda table: table.select(["shots"]),
    "no columns": lambda table: table.select([]),
}
"""Fixed columns of wrong types, without values, or missing."""


def edit_json(file: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    """Change the JSON object in a file."""
    content = json.loads(file.read_text(encoding="utf-8"))
    edit(content)
    file.write_text(json.dumps(content), encoding="utf-8")


def edit_table(file: Path, edit: Callable[[pa.Table], pa.Table]) -> None:
    """Change the table in a Parquet file."""
    table = edit(pq.read_table(file))
    pq.write_table(table, file)


def flip(file: Path, share: float) -> None:
    """Invert a byte at some share of the length of a file."""
    content = bytearray(file.read_bytes())
    content[min(int(len(content) * share), len(content) - 1)] ^= 0xFF
    file.write_bytes(content)


def forget_checksums(run: Path) -> None:
    """Make a run one of an earlier version, which stored no checksums of what is read."""
    if (run / "manifest.json").exists():
        edit_json(run / "manifest.json", lambda manifest: manifest["totals"].pop("sha256", None))
    events = (run / "events.jsonl").read_text(encoding="utf-8").splitlines()
    rest = [event for event in events if json.loads(event)["event"] != "stored"]
    (run / "events.jsonl").write_text("".join(f"{event}\n" for event in rest), encoding="utf-8")


def rename_to_its_hash(run: Path) -> Path:
    """Give a run directory the name that belongs to its configuration."""
    content = json.loads((run / "config.json").read_text(encoding="utf-8"))
    return run.rename(run.with_name(f"{run.name[:15]}-{config_digest(content)}"))
