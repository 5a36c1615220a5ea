"""Results of millions of records: the runs that ship with the package, with every query repeated many times."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb

from lcl_lab import store
from lcl_lab.atomic import write_json
from lcl_lab.errors import UserError
from lcl_lab.progress import track
from lcl_lab.store.record_check import checksum
from lcl_lab.store.run_layout import CONFIG, EVENTS, MANIFEST, PACKED, STAMP, config_digest, creation_time
from lcl_lab.store.shards import ordered_query, relation

__all__ = ["LargeResults", "write_large_results"]

_REPEATS = 25  # of each query: shipped runs have 200 under most conditions, the paper 5,000
_LARGE_STUDY = "false_ratio"
_OLDEST_YEAR, _LARGE_YEAR = 2020, 2019  # the run of very many records is not the one that pages open
_SCALE = "(1 + again / 1e6)"  # one factor for all candidates of a record leaves its choice as it is


@dataclass(frozen=True)
class LargeResults:
    """Results of many records.

    Attributes:
        records: number of records.
        runs: number of runs.
        large: the run of very many records, as ``study/directory``.
        large_records: its number of records.
    """

    records: int
    runs: int
    large: str
    large_records: int


@dataclass(frozen=True)
class _Copy:
    """A run to write: a shipped one under another seed, with each query repeated."""

    run: store.RunInfo
    seed: int
    repeats: int
    year: int

    @property
    def records(self) -> int:
        return self.run.records * self.repeats


def write_large_results(shipped: Path, results: Path, least: int, large: int) -> LargeResults:
    """Write finished runs that repeat those of the shipped results.

    The runs have the paper's number of queries, or fewer if `least` is small, and one run of the false-label study has
    at least `large` records. Repetitions of a query differ in their ids, episodes, log-likelihoods and seconds, so that
    files are about as large as those of real runs. Supports and images repeat.

    Args:
        shipped: the shipped results.
        results: the folder to write to.
        least: number of records of all runs together, at least.
        large: number of records of the large run, at least.

    Raises:
        UserError: the shipped results have no run of the false-label study.
    """
    runs = store.runs(shipped)
    original = next((run for run in runs if run.study == _LARGE_STUDY), None)
    if original is None:
        raise UserError(f"{shipped}: there is no run of {_LARGE_STUDY}")
    large_copy = _Copy(original, 0, -(-large // original.records), _LARGE_YEAR)
    copies = [large_copy, *_usual_copies(runs, least - large_copy.records)]
    with duckdb.connect() as connection:
        paths = [_write(connection, copy, results) for copy in track(copies, "writing")]
    return LargeResults(
        sum(copy.records for copy in copies),
        len(copies),
        f"{paths[0].parent.name}/{paths[0].name}",
        large_copy.records,
    )


def _usual_copies(runs: list[store.RunInfo], least: int) -> Iterator[_Copy]:
    """All runs under one seed after the other, until there are enough records."""
    total = sum(run.records for run in runs)
    repeats = max(1, min(_REPEATS, least // total))
    for seed in range(max(1, -(-least // (total * repeats)))):
        yield from (_Copy(run, seed, repeats, _OLDEST_YEAR) for run in runs)


def _write(connection: duckdb.DuckDBPyConnection, copy: _Copy, results: Path) -> Path:
    """Write one run with all files of a finished one, and return its folder."""
    config, manifest = (_read(copy.run.path / name) for name in (CONFIG, MANIFEST))
    queries = config["config"].get("queries")
    config["config"] |= {"seed": copy.seed} | ({"queries": queries * copy.repeats} if queries else {})
    created = creation_time(copy.run.path).replace(year=copy.year, month=1, day=1) + timedelta(days=copy.seed)
    path = results / copy.run.study / f"{created.strftime(STAMP)}-{config_digest(config)}"
    path.mkdir(parents=True)
    records = ordered_query(connection, _repeated(connection, copy))
    connection.execute(f"COPY ({records}) TO '{path / PACKED}' (FORMAT parquet, COMPRESSION zstd)")
    manifest |= {"shards": [], "totals": {"records": copy.records, "sha256": checksum(path / PACKED)}}
    write_json(path / CONFIG, config)
    write_json(path / MANIFEST, manifest)
    (path / EVENTS).write_bytes((copy.run.path / EVENTS).read_bytes())
    return path


def _repeated(connection: duckdb.DuckDBPyConnection, copy: _Copy) -> str:
    """SQL, for use after FROM, for the records of a copy."""
    stored = relation(connection, copy.run.files)
    described = connection.execute(f"DESCRIBE SELECT * FROM {stored}").fetchall()
    scaled = [str(name) for name, kind, *_ in described if str(name).startswith("loglik_") and kind == "DOUBLE"]
    (queries,) = connection.execute(f"SELECT max(query_id) + 1 FROM {stored}").fetchone() or (0,)
    values = {
        "seed": str(copy.seed),
        "query_id": f"query_id + {queries} * again",
        "support_id": f"support_id + {queries} * again",
        "episode_id": "left(md5(episode_id || again), length(episode_id))",
        "loglik_others": f"[value * {_SCALE} FOR value IN loglik_others]",
        **{name: f"{name} * {_SCALE}" for name in ("seconds", *scaled)},
    }
    replaced = ", ".join(f"{value} AS {name}" for name, value in values.items())
    return (
        f"(SELECT * EXCLUDE (again, filename) REPLACE ({replaced}) "
        f"FROM {stored}, range({copy.repeats}) AS times(again))"
    )


def _read(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return content
