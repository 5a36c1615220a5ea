"""Merges the small shards of a run while it grows, so that a long run does not leave thousands of files.

Shards of equal columns are merged as they are, `_FAN` at a time; merged ones are merged again when there are as many.
A kill at any moment loses nothing: a merged shard appears as a whole, and what it replaces is deleted later.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lcl_lab.atomic import atomic_path, reporting_os_errors
from lcl_lab.store.event_log import MERGED
from lcl_lab.store.record_check import checksum
from lcl_lab.store.record_files import CELLS, cells_of, current_shards, level_of, shard_files
from lcl_lab.store.run_layout import RECORDS, existing
from lcl_lab.store.shards import SUFFIX

__all__ = ["compact", "remove_replaced"]

_FAN = 64  # shards that become one
_GRACE = 60.0  # seconds for which readers may read shards that they listed before a merge


def compact(run: Path, note: Callable[..., None], checksums: Callable[[], Mapping[Path, str]]) -> None:
    """Merge shards of a run directory where enough of a kind have gathered.

    Shards that are damaged stay as they are, so that a merged one cannot hide it.

    Args:
        run: the run directory, which no other process writes to.
        note: appends an event to its log.
        checksums: returns the known checksums of its shards.

    Raises:
        UserError: a file cannot be read or written.
    """
    while group := _group_to_merge(run):
        with reporting_os_errors("read", run / RECORDS):
            known = checksums()
            if any(checksum(shard) != known.get(shard) for shard in group):
                return
        _merge(group, note)
    remove_replaced(run)


def remove_replaced(run: Path) -> None:
    """Delete the shards that were merged long enough ago, so that no reader reads them any more."""
    shards = existing(run / RECORDS, f"*{SUFFIX}")
    latest = time.time() - _GRACE
    with reporting_os_errors("delete", run / RECORDS):
        settled = [shard for shard in shards if not level_of(shard) or shard.stat().st_mtime <= latest]
        for shard in set(settled) - set(current_shards(settled)):
            shard.unlink()


def _group_to_merge(run: Path) -> Sequence[Path]:
    """`_FAN` shards of one level with the same columns; none where there are fewer."""
    by_level: dict[int, list[Path]] = defaultdict(list)
    for shard in shard_files(run):
        by_level[level_of(shard)].append(shard)
    for level in sorted(by_level):
        if len(by_level[level]) < _FAN:
            continue
        by_columns: dict[str, list[Path]] = defaultdict(list)
        for shard in by_level[level]:
            columns = _columns(shard)
            if columns is None:
                continue
            by_columns[columns].append(shard)
            if len(by_columns[columns]) == _FAN:
                return by_columns[columns]
    return ()


@lru_cache(maxsize=4096)  # a shard never changes
def _columns(shard: Path) -> str | None:
    """The names and types of the columns of a shard; None if it is damaged."""
    try:
        return str(pq.read_schema(shard).remove_metadata())
    except (pa.ArrowException, OSError, ValueError):
        return None


def _merge(shards: Sequence[Path], note: Callable[..., None]) -> None:
    cells = sorted({cell for shard in shards for cell in cells_of(shard)})
    digest = blake2b(json.dumps(cells).encode(), digest_size=8).hexdigest()
    merged = shards[0].with_name(f"+{level_of(shards[0]) + 1}-{digest}{SUFFIX}")
    schema = pq.read_schema(shards[0]).with_metadata({CELLS: json.dumps(cells)})
    with atomic_path(merged) as temporary:
        with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
            for shard in shards:  # one at a time, since merged ones are large
                writer.write_table(pq.ParquetFile(shard).read().replace_schema_metadata(schema.metadata))
        note(MERGED, cell=merged.name.removesuffix(SUFFIX), sha256=checksum(temporary), merged=len(shards))
