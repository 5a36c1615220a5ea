"""The files with the records of a run: one file of a finished run, else shards, of one cell or of merged ones.

A merged shard lists its cells in its own footer. The shards that it replaces stay for a while, for readers that have
just listed them, and whoever lists shards leaves them out. So at every moment a list has each record once.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lcl_lab.store.run_layout import PACKED, RECORDS, existing, is_finished
from lcl_lab.store.shards import SUFFIX

__all__ = ["CELLS", "cells_of", "current_shards", "level_of", "record_files", "shard_files", "stored_cells"]

CELLS = b"lcl_cells"
"""The key of the list of cells, as JSON, in the footer of a merged shard."""
_MERGED = re.compile(r"\+([1-9][0-9]*)-[0-9a-f]{16}")  # no name of a cell has a plus sign


def shard_files(run: Path) -> list[Path]:
    """The complete shards of a run directory that no merged one replaces, by name."""
    return current_shards(_shards(run))


def record_files(run: Path) -> list[Path]:
    """The files with the records of a run directory: one file if the run is finished, else its shards."""
    packed = run / PACKED
    return [packed] if is_finished(run) and os.path.lexists(packed) else shard_files(run)


def stored_cells(run: Path) -> set[str]:
    """The cells whose records are in a shard of a run directory."""
    return {cell for shard in _shards(run) for cell in cells_of(shard)}


def current_shards(shards: Iterable[Path]) -> list[Path]:
    """Those of some shards whose cells are in no shard of a higher level, by name."""
    covered: set[str] = set()
    current = []
    for shard in sorted(shards, key=level_of, reverse=True):
        cells = cells_of(shard)
        if cells and cells <= covered:
            continue
        covered |= cells
        current.append(shard)
    return sorted(current)


def level_of(shard: Path) -> int:
    """How often the records of a shard were merged: 0 for the shard of a cell."""
    match = _MERGED.fullmatch(shard.name.removesuffix(SUFFIX))
    return int(match[1]) if match else 0


def cells_of(shard: Path) -> frozenset[str]:
    """The cells of a shard; none of a merged one that is damaged, which `check_records` reports."""
    if not level_of(shard):
        return frozenset({shard.name.removesuffix(SUFFIX)})
    try:
        stat = shard.stat()
        return _listed_cells(shard, stat.st_mtime_ns, stat.st_size)
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError):
        return frozenset()


def _shards(run: Path) -> list[Path]:
    return existing(run / RECORDS, f"*{SUFFIX}")


@lru_cache(maxsize=1024)
def _listed_cells(shard: Path, modified: int, size: int) -> frozenset[str]:
    return frozenset(json.loads(pq.read_schema(shard).metadata[CELLS]))
