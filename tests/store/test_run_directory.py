from __future__ import annotations

import hashlib
import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import Mock

import pytest

from lcl_lab.errors import UserError
from lcl_lab.store import Run, connect, run_directory, runs, same_records

from .factories import CONFIG, STUDY, provenance, record, records


def open_run(results: Path, fresh: bool = False, **changes: object) -> Run:
    return Run.open(results, STUDY, {**CONFIG, **changes}, fresh)


def test_new_run_has_a_dated_directory_with_its_config(tmp_path: Path) -> None:
    with open_run(tmp_path / "new" / "results") as run:
        assert re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{8}", run.path.name)
        assert run.path.parent == tmp_path / "new" / "results" / STUDY
        assert json.loads((run.path / "config.json").read_text()) == {"study": STUDY, "config": CONFIG}
        assert not run.finished and run.committed() == set() and len(run.records()) == 0


def test_same_config_continues_and_another_does_not(tmp_path: Path) -> None:
    with open_run(tmp_path) as first:
        first.commit("a", records(2))
    with Run.open(tmp_path, STUDY, dict(reversed(CONFIG.items()))) as again:
        assert again.path == first.path and again.committed() == {"a"}
    with open_run(tmp_path, preset="full") as other:
        assert other.path != first.path and other.committed() == set()
    with Run.open(tmp_path, "positions", CONFIG) as elsewhere:
        assert elsewhere.path.name[-8:] != first.path.name[-8:]


def test_fresh_makes_new_directories_and_the_newest_is_continued(tmp_path: Path) -> None:
    paths = []
    for _ in range(3):  # within one second
        with open_run(tmp_path, fresh=True) as run:
            paths.append(run.path)
    assert len(set(paths)) == 3 and paths == sorted(paths)
    with open_run(tmp_path) as run:
        assert run.path == paths[-1]


def test_runs_sort_in_the_order_in_which_they_were_started_whatever_the_clock_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock is set back, and two runs of other configurations start within one second."""
    paths = []
    for hour in (12, 10, 10, 10, 13):
        clock = Mock(wraps=datetime)
        clock.now.return_value = datetime(2026, 1, 1, hour, tzinfo=UTC)
        monkeypatch.setattr(run_directory, "datetime", clock)
        with open_run(tmp_path, fresh=True, preset=str(len(paths) % 3)) as run:
            run.commit("a", [record(0, shots=2)])
            paths.append(run.path)
    assert paths == sorted(paths)
    assert [run.path for run in runs(tmp_path)] == paths[::-1]
    assert connect(tmp_path).execute("SELECT DISTINCT run FROM latest").fetchall() == [(f"{STUDY}/{paths[-1].name}",)]
    with open_run(tmp_path, preset="0") as run:
        assert run.path == paths[3]


def test_a_broken_run_is_left_as_it_is(tmp_path: Path) -> None:
    with open_run(tmp_path, preset="full") as other, open_run(tmp_path) as run:
        run.commit("a", records(1))
    (run.path / "config.json").write_text('{"study": "sh')
    with open_run(tmp_path) as again:
        assert again.path != run.path and again.committed() == set()
        assert again.broken and again.broken.path == run.path and again.not_resumed is None
    assert (run.path / "config.json").read_text() == '{"study": "sh'
    with open_run(tmp_path) as resumed, open_run(tmp_path, preset="full") as unaffected:
        assert (resumed.path, resumed.broken) == (again.path, None)
        assert (unaffected.path, unaffected.broken) == (other.path, None)


def test_a_run_whose_creation_was_interrupted_is_resumed(tmp_path: Path) -> None:
    with open_run(tmp_path) as run:
        (run.path / "config.json").unlink()
    with open_run(tmp_path) as again:
        assert (again.path, again.broken) == (run.path, None)
        assert json.loads((again.path / "config.json").read_text())["config"] == CONFIG


def test_an_older_run_is_used_where_the_newest_is_broken(tmp_path: Path) -> None:
    with open_run(tmp_path) as older:
        older.commit("a", records(1))
        older.finish(provenance())
    with open_run(tmp_path, fresh=True) as newer:
        newer.commit("a", records(1))
        newer.finish(provenance())
    (newer.path / "records.parquet").write_bytes(b"")
    with open_run(tmp_path) as run:
        assert run.path == older.path and run.finished
        assert run.broken and run.broken.path == newer.path


@pytest.mark.parametrize(
    "config",
    [{"models": ["a"]}, {"models": [{"name": 1}]}, {"seed": "0"}, {"seed": -1}, {"seed": 2**63}, {"text": "\ud800"}],
)
def test_a_configuration_that_no_reader_could_use_is_refused(tmp_path: Path, config: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Run.open(tmp_path, STUDY, config)
    assert not list(tmp_path.iterdir())


def test_results_that_cannot_be_made_are_the_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=rf"cannot create {tmp_path}/file/results/shots: Not a directory"):
        open_run(tmp_path / "file" / "results")


def test_open_run_is_refused_until_it_is_closed(tmp_path: Path) -> None:
    run = open_run(tmp_path)
    with pytest.raises(UserError, match="is open in another process"):
        open_run(tmp_path)
    with open_run(tmp_path, fresh=True) as other:
        assert other.path != run.path
    run.close()
    shutil.rmtree(other.path)
    open_run(tmp_path).close()


def test_commit_refuses_what_would_spoil_the_run(tmp_path: Path) -> None:
    with open_run(tmp_path) as run:
        run.commit("model=a_b", records(1))
        with pytest.raises(ValueError, match="already"):
            run.commit("model=a_b", records(1))
        for cell in ("", "a/b", "a b", "..", "a\n"):
            with pytest.raises(ValueError, match="cell name"):
                run.commit(cell, records(1))
        with pytest.raises(ValueError, match="records of other in a run of shots"):
            run.commit("c", [record(study="other")])
        with pytest.raises(UserError, match=r"cannot write .*: File name too long"):
            run.commit("c" * 300, records(1))
        assert run.committed() == {"model=a_b"}
        assert len(list((run.path / "records").iterdir())) == 1
    with pytest.raises(ValueError, match="closed"):
        run.commit("d", records(1))
    with pytest.raises(ValueError, match="study name"):
        Run.open(tmp_path, "a/b", CONFIG)


def test_damaged_records_are_neither_read_nor_finished(tmp_path: Path) -> None:
    with open_run(tmp_path) as run:
        for cell in "ab":
            run.commit(cell, records(3, cell=cell))
        shard = run.path / "records" / "a.parquet"
        content = bytearray(shard.read_bytes())
        content[len(content) // 2] ^= 1
        shard.write_bytes(content)
        for use in (run.records, lambda: run.finish(provenance())):
            with pytest.raises(UserError, match=r"is broken: a\.parquet: its SHA"):
                use()
        assert not run.finished
    with open_run(tmp_path) as other:
        assert other.path != run.path and other.committed() == set()


def test_records_come_back_as_they_went_in(tmp_path: Path) -> None:
    with open_run(tmp_path) as run:
        run.commit("a", [record(7, seed=3, shots=4, ratio=0.5, order="ab", none=None)])
        (row,) = run.records().to_dict("records")
    sent = record(7, seed=3)
    for name in ("study", "model", "seed", "query_id", "pair", "answer", "loglik_true", "tokens_other", "seconds"):
        assert row[name] == getattr(sent, name)
    assert row["correct_open"] and not row["correct_candidate"]
    assert (row["shots"], row["ratio"], row["order"]) == (4, 0.5, "ab")
    assert [(example["label"], example["false"]) for example in row["support"]] == [("dax", False), ("dax", True)]


def test_order_of_records_does_not_depend_on_the_order_of_commits(tmp_path: Path) -> None:
    cells = {
        "b": [record(1, shots=1, order="z"), record(0, shots=1, order="z")],
        "c": [record(0, ratio=0.5)],
        "d": [record(0, seed=1, shots=1, order="a"), record(5, shots=1, order="a")],
    }
    frames = []
    for cell_order in ("bcd", "dbc"):
        with open_run(tmp_path, fresh=True) as run:
            for place, cell in enumerate(cell_order):
                run.commit(f"{place}-{cell}", cells[cell])
            frames.append(run.records())
    assert list(frames[0].columns) == list(frames[1].columns)
    assert frames[0].dtypes.equals(frames[1].dtypes)
    wanted = [("a", 0, 5), ("a", 1, 0), ("z", 0, 0), ("z", 0, 1), (None, 0, 0)]
    for frame in frames:
        frame["order"] = frame["order"].astype(object).where(frame["order"].notna(), None)
        by_ratio = frame[frame.ratio.isna()]
        assert list(zip(by_ratio.order, by_ratio.seed, by_ratio.query_id, strict=True)) == wanted[:4]
        assert list(frame.query_id) == list(frames[0].query_id)
    assert same_records(frames[0], frames[1]) is None


def test_events_survive_a_torn_line(tmp_path: Path) -> None:
    with open_run(tmp_path) as run:
        assert run.events() == []
        run.note("started", workers=2)
        with (run.path / "events.jsonl").open("ab") as file:
            file.write(b'{"time": "2026-01-01", "event": "to\xc3')
        assert [event["event"] for event in run.events()] == ["started"]
        run.note("resumed", where=tmp_path)
        started, resumed = run.events()
        assert started["workers"] == 2 and resumed["where"] == str(tmp_path)
        assert started["time"].endswith("+00:00") and started["time"] <= resumed["time"]
        with pytest.raises(ValueError, match="time"):
            run.note("late", time=0)


def test_manifest_lists_shards_totals_and_provenance(tmp_path: Path) -> None:
    with open_run(tmp_path) as run:
        run.commit("b", records(2))
        run.commit("a", records(3))
        run.finish(provenance())
        assert run.finished
        manifest = json.loads((run.path / "manifest.json").read_text())
        shard, packed = (
            hashlib.sha256((run.path / name).read_bytes()).hexdigest()
            for name in ("records/a.parquet", "records.parquet")
        )
    assert manifest["shards"][0] == {"cell": "a", "rows": 3, "sha256": shard}
    assert manifest["totals"] == {"shards": 2, "records": 5, "sha256": packed}
    assert manifest["provenance"]["config"] == CONFIG and manifest["provenance"]["seeds"] == [0, 1]
    with open_run(tmp_path) as again:
        assert again.path == run.path and again.finished


def open_by(results: Path, code: str | None, cells: set[str] | None = None) -> Run:
    return Run.open(results, STUDY, CONFIG, code=code, cells=cells)


def test_an_unfinished_run_is_not_resumed_by_other_code(tmp_path: Path) -> None:
    with open_by(tmp_path, "1") as first:
        first.commit("a", records(1))
    with open_by(tmp_path, "1", {"a", "b"}) as again:
        assert (again.path, again.not_resumed) == (first.path, None)
    with open_by(tmp_path, "2", {"a", "b"}) as second:
        assert (second.path != first.path, second.not_resumed) == (True, first.path)
        assert second.committed() == set()
        second.commit("a", records(1))
    with open_by(tmp_path, "1", {"a", "b"}) as back:  # as after `git checkout` of the earlier version
        assert (back.path, back.not_resumed) == (first.path, second.path)
    with open_by(tmp_path, "2", {"a", "b"}) as resumed:
        assert (resumed.path, resumed.not_resumed) == (second.path, None)


def test_a_finished_run_is_opened_whatever_the_code(tmp_path: Path) -> None:
    with open_by(tmp_path, "1") as first:
        first.commit("a", records(1))
    with open_by(tmp_path, "2") as second:
        second.commit("a", records(1))
        second.finish(provenance())
    for code in ("1", "2", "3", None):
        with open_by(tmp_path, code) as run:
            assert (run.path, run.not_resumed) == (second.path, None)


def test_a_run_that_lacks_only_its_report_is_opened_whatever_the_code(tmp_path: Path) -> None:
    with open_by(tmp_path, "1") as first:
        first.commit("a", records(1))
    with open_by(tmp_path, "2", {"a"}) as second:
        assert (second.path, second.not_resumed) == (first.path, None)


def test_a_run_without_records_or_without_a_noted_code_is_resumed(tmp_path: Path) -> None:
    with open_by(tmp_path, "1") as empty:
        pass
    with open_by(tmp_path, None) as run:
        assert run.path == empty.path
        run.commit("a", records(1))  # as an earlier version did
    with open_by(tmp_path, "2", {"a", "b", "c"}) as resumed:
        assert (resumed.path, resumed.not_resumed) == (run.path, None)
        resumed.commit("b", records(1))
    with open_by(tmp_path, "3", {"a", "b", "c"}) as other:
        assert other.path != run.path


def test_a_damaged_record_is_not_replaced_by_other_code_while_the_run_is_unfinished(tmp_path: Path) -> None:
    with open_by(tmp_path, "1") as first:
        for cell in "ab":
            first.commit(cell, records(1))
    shard = first.path / "records" / "a.parquet"
    shard.write_bytes(shard.read_bytes()[:-20])
    with open_by(tmp_path, "2", {"a", "b"}) as second:
        assert second.path != first.path


def test_the_code_is_noted_once_for_each_process_that_writes_records(tmp_path: Path) -> None:
    for cell in "ab":
        with open_by(tmp_path, "1") as run:
            run.commit(f"{cell}1", records(1))
            run.commit(f"{cell}2", records(1))
    assert [event["event"] for event in run.events()] == ["evaluating", "stored", "stored"] * 2
    assert [event["code"] for event in run.events() if "code" in event] == ["1"] * 2
