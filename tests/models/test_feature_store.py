from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lcl_lab.concepts import ImageRef
from lcl_lab.models import feature_store
from lcl_lab.models.feature_store import FeatureStore, Row

SHAPE = (2, 3)
REFS = [ImageRef("data", "concept", number) for number in range(4)]


def row(value: float) -> Row:
    return np.full(SHAPE, value, np.float32)


def written(folder: Path, *numbers: int) -> Path:
    FeatureStore("identity", SHAPE, folder).put({REFS[number]: row(number) for number in numbers})
    (file,) = folder.glob("*.rows")
    return file


def known(folder: Path) -> list[float | None]:
    store = FeatureStore("identity", SHAPE, folder)
    rows = [store.get(ref) for ref in REFS]
    return [None if one is None else float(one[0, 0]) for one in rows]


def test_a_later_process_finds_the_rows(tmp_path: Path) -> None:
    written(tmp_path, 0, 2)
    written(tmp_path, 3)
    assert known(tmp_path) == [0, None, 2, 3]
    assert FeatureStore("another identity", SHAPE, tmp_path).get(REFS[0]) is None


def test_a_store_knows_its_own_rows_at_once(tmp_path: Path) -> None:
    store = FeatureStore("identity", SHAPE, tmp_path)
    assert store.get(REFS[0]) is None
    store.put({REFS[0]: row(5)})
    found = store.get(REFS[0])
    assert found is not None
    np.testing.assert_array_equal(found, row(5))


@pytest.mark.parametrize("cut", [1, 30])
def test_a_process_killed_while_it_writes_costs_only_its_last_row(tmp_path: Path, cut: int) -> None:
    file = written(tmp_path, 0, 1)
    file.write_bytes(file.read_bytes()[:-cut])
    assert known(tmp_path) == [0, None, None, None]
    written(tmp_path, 2)
    assert known(tmp_path) == [0, None, 2, None]


def test_a_damaged_row_counts_as_missing(tmp_path: Path) -> None:
    file = written(tmp_path, 0, 1)
    content = bytearray(file.read_bytes())
    content[20] ^= 1
    file.write_bytes(content)
    assert known(tmp_path) == [None, 1, None, None]


def test_a_full_store_takes_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, 0)
    monkeypatch.setattr(feature_store, "_FILE_BYTES", file.stat().st_size)
    written(tmp_path, 1)
    assert known(tmp_path) == [0, None, None, None]


def test_the_least_recently_used_stores_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, 0)
    monkeypatch.setattr(feature_store, "_FILE_BYTES", file.stat().st_size)
    monkeypatch.setattr(feature_store, "_FOLDER_BYTES", file.stat().st_size)
    FeatureStore("new identity", SHAPE, tmp_path).put({REFS[0]: row(0)})
    assert not file.exists()
    assert len(list(tmp_path.glob("*.rows"))) == 1


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = FeatureStore("identity", SHAPE, tmp_path / "file")
    store.put({REFS[0]: row(0)})
    assert store.get(REFS[0]) is None
