from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pandas.testing import assert_frame_equal

from lcl_lab.concepts import dataset_identity, load_dataset
from lcl_lab.dashboard.run_index import shipped_results
from lcl_lab.episodes import draw_episode, falsify
from lcl_lab.errors import UserError
from lcl_lab.store import (
    FIXED,
    Run,
    broken_runs,
    connect,
    read_records,
    read_run,
    records_digest,
    runs,
    same_records,
)

from .factories import CONFIG, STUDY, provenance, record, records


def write(results: Path, study: str, cells: int = 1, finish: bool = True, **condition: Any) -> Run:
    with Run.open(results, study, {**CONFIG, **condition}, fresh=True) as run:
        for cell in range(cells):
            run.commit(f"cell={cell}", [record(query, cell, study, **condition) for query in range(2)])
        if finish:
            run.finish(provenance())
    return run


def count(results: Path, study: str | None = None) -> int:
    with connect(results, study) as connection:
        (n,) = connection.execute("SELECT count(*) FROM records").fetchone() or (None,)
    return int(n or 0)


def test_the_latest_view_has_every_answer_once(tmp_path: Path) -> None:
    write(tmp_path, "shots", cells=3, shots=4)
    again = write(tmp_path, "shots", cells=2, shots=4)
    write(tmp_path, "shots", cells=1, shots=8, **{'odd " name': "x"})
    with connect(tmp_path) as connection:
        latest = connection.execute("SELECT run, shots, seed, query_id FROM latest").df()
        everything = connection.execute("SELECT shots, seed, query_id FROM records").df()
    assert len(everything) == 12
    assert len(latest) == len(everything.drop_duplicates()) == 8
    repeated = latest[(latest["shots"] == 4) & (latest["seed"] < 2)]
    assert set(repeated["run"]) == {f"shots/{again.path.name}"}


def test_one_query_reads_all_runs(tmp_path: Path) -> None:
    shots = write(tmp_path, "shots", cells=3, shots=4)
    order = write(tmp_path, "order", order="ab", shots=0.5)
    (tmp_path / "shots" / shots.path.name / "records" / "cell=9.parquet.tmp").write_bytes(b"half")
    with connect(tmp_path) as connection:
        rows = connection.execute(
            'SELECT run, study, shots, "order", count(*) FROM records GROUP BY ALL ORDER BY study'
        ).fetchall()
        assert rows == [
            (f"order/{order.path.name}", "order", 0.5, "ab", 2),
            (f"shots/{shots.path.name}", "shots", 4.0, None, 6),
        ]
        joined = connection.execute("SELECT count(*) FROM records JOIN runs USING (run) WHERE finished").fetchone()
        assert joined == (8,)
    assert count(tmp_path, "order") == 2 and count(tmp_path, "nothing") == 0


def test_view_gives_the_records_that_the_run_gives(tmp_path: Path) -> None:
    with Run.open(tmp_path, STUDY, CONFIG) as run:
        run.commit("a", records(3, shots=1))
        run.commit("b", records(3, shots=2, order="ab"))
        with connect(tmp_path) as connection:
            assert records_digest(connection.execute("SELECT * FROM records").df()) == records_digest(run.records())


@pytest.mark.parametrize("there", [True, False])
def test_without_runs_the_views_are_empty_and_typed(tmp_path: Path, there: bool) -> None:
    with connect(tmp_path if there else tmp_path / "missing") as connection:
        assert connection.execute("SELECT run, seed + 1, support[1].label FROM records").fetchall() == []
        types = {row[0]: row[1] for row in connection.execute("DESCRIBE records").fetchall()}
        assert connection.execute("SELECT run, finished, created FROM runs").fetchall() == []
    assert types["seed"] == "BIGINT" and types["correct_open"] == "BOOLEAN" and types["filename"] == "VARCHAR"


@pytest.mark.parametrize("name", ["it's", 'a "b"', "a*", "a?", "[ab]", "{a,b}", "x=1", "~", "ü %s $1"])
def test_folder_name_is_taken_literally(tmp_path: Path, name: str) -> None:
    for decoy in ("ab", "a", "b", "aa"):
        write(tmp_path / decoy, "shots")
    run = write(tmp_path / name, "shots", cells=2)
    with connect(tmp_path / name) as connection:
        rows = connection.execute("SELECT DISTINCT run FROM records").fetchall()
        columns = [row[0] for row in connection.execute("DESCRIBE records").fetchall()]
        assert rows == [(f"shots/{run.path.name}",)] and "x" not in columns
        assert connection.execute("SELECT path FROM runs").fetchall() == [(str(run.path),)]
    assert count(tmp_path / name) == 4


def test_relative_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path("results"), "shots")
    assert count(Path("results")) == 2


def test_broken_runs_are_listed_and_left_out(tmp_path: Path) -> None:
    good = write(tmp_path, "shots")
    torn, empty, configless, shardless, manifestless, pack = (write(tmp_path, "shots", cells=2) for _ in range(6))
    for run in (torn, empty, shardless):  # as they are until they are finished
        (run.path / "records.parquet").unlink()
    (pack.path / "records.parquet").write_bytes(b"PAR1")
    shard = torn.path / "records" / "cell=0.parquet"
    shard.write_bytes(shard.read_bytes()[: shard.stat().st_size // 2])
    (empty.path / "records" / "cell=1.parquet").write_bytes(b"")
    (configless.path / "config.json").unlink()
    (shardless.path / "records" / "cell=1.parquet").unlink()
    (manifestless.path / "manifest.json").write_text('{"provenance": {}}')
    (tmp_path / "shots" / "notes").mkdir()
    assert {broken.path: broken.reason for broken in broken_runs(tmp_path)} == {
        torn.path: "cell=0.parquet: its SHA-256 is not the one that was stored",
        empty.path: "cell=1.parquet: its SHA-256 is not the one that was stored",
        configless.path: "config.json is missing or cannot be read",
        shardless.path: "cell=1.parquet is missing, although manifest.json lists it",
        manifestless.path: "manifest.json cannot be read",
        pack.path: "records.parquet: its SHA-256 is not the one that was stored",
    }
    assert [info.path for info in runs(tmp_path)] == [good.path]
    assert count(tmp_path) == 2


def test_a_finished_run_is_read_from_one_file(tmp_path: Path) -> None:
    run = write(tmp_path, "shots", cells=3)
    with connect(tmp_path) as connection:
        assert connection.execute("SELECT DISTINCT parse_filename(filename) FROM records").fetchall() == [
            ("records.parquet",)
        ]
    one_file = read_run(run.path)
    (run.path / "manifest.json").unlink()
    assert_frame_equal(read_run(run.path), one_file)
    with connect(tmp_path) as connection:
        assert len(connection.execute("SELECT DISTINCT filename, run FROM records").fetchall()) == 3


def test_run_list_is_newest_first_with_what_is_known(tmp_path: Path) -> None:
    first, second = write(tmp_path, "shots"), write(tmp_path, "shots", finish=False)
    newest, oldest = runs(tmp_path)
    assert (newest.path, oldest.path) == (second.path, first.path)
    assert (newest.finished, oldest.finished) == (False, True)
    assert oldest.provenance is not None and oldest.provenance.seeds == (0, 1) and oldest.config == CONFIG
    assert oldest.commit == oldest.provenance.commit
    assert oldest.run == f"shots/{first.path.name}" and oldest.study == "shots"
    assert abs(datetime.now(UTC) - oldest.created) < timedelta(minutes=1)


def test_importing_the_store_imports_no_heavy_package() -> None:
    heavy = "{'torch', 'pandas', 'pyarrow', 'duckdb', 'pydantic'}"
    command = f"import sys, lcl_lab.store; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", command], text=True).strip() == "[]"


@pytest.mark.parametrize("module", ["lcl_lab.atomic", "lcl_lab.store.records"])
def test_importing_records_imports_no_heavy_package(module: str) -> None:
    heavy = "{'torch', 'pandas', 'pyarrow', 'duckdb', 'pydantic', 'PIL'}"
    command = f"import sys, {module}; from lcl_lab.store import Record; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", command], text=True).strip() == "[]"


def test_all_records_are_read_with_their_run(tmp_path: Path) -> None:
    order = write(tmp_path, "order", order="ab", shots=0.5)
    first, second = write(tmp_path, "shots", cells=2, shots=4), write(tmp_path, "shots", finish=False, ratio=0.5)
    torn = write(tmp_path, "shots")
    (torn.path / "config.json").unlink()
    frame = read_records(tmp_path)
    assert list(frame.columns) == ["run", *FIXED, "order", "ratio", "shots"]
    stored = {f"{run.path.parent.name}/{run.path.name}": rows for run, rows in ((order, 2), (first, 4), (second, 2))}
    assert list(frame["run"]) == [run for run in sorted(stored) for _ in range(stored[run])]
    assert frame["study"].value_counts().to_dict() == {"shots": 6, "order": 2}
    part = read_records(str(tmp_path), study="shots")
    assert "order" not in part.columns and len(part) == 6
    assert same_records(part[part["run"] == f"shots/{first.path.name}"], read_run(first.path)) is None


def test_records_that_are_not_there_are_reported(tmp_path: Path) -> None:
    assert len(read_records(tmp_path)) == 0
    with pytest.raises(UserError, match="has no runs of this study; there are no runs of any study"):
        read_records(tmp_path, study="shots")
    write(tmp_path, "shots")
    with pytest.raises(UserError, match=r"^study shot: .* has no runs of this study; did you mean 'shots'"):
        read_records(tmp_path, study="shot")
    with pytest.raises(UserError, match=r"^results .*/none: no such folder"):
        read_records(tmp_path / "none")


SHIPPED = Path(__file__).parents[2] / "dashboards" / "shipped"


def test_shipped_runs_can_be_read() -> None:
    """Runs that were written by earlier versions."""
    infos = runs(SHIPPED)
    assert {info.study for info in infos} >= {"false_ratio", "label_position", "shots", "zero_shot"}
    assert not broken_runs(SHIPPED)
    frame = read_records(SHIPPED, study="false_ratio")
    assert set(FIXED) | {"run", "shots", "false_ratio"} <= set(frame.columns)
    assert len(frame) == sum(info.records for info in infos if info.study == "false_ratio") > 1000
    used = [info.config["data"] for info in infos if "data" in info.config]
    assert len(used) > 5 and all(dataset_identity(load_dataset(data["name"])) == data for data in used)
    dataset = load_dataset("world-100")
    row = frame[frame["false_ratio"] == 0.5].iloc[0]
    episode = falsify(draw_episode(dataset, row["seed"], row["query_id"], row["shots"]), row["false_ratio"])
    assert row["episode_id"] == episode.id
    assert [example["label"] for example in row["support"]] == [example.label for example in episode.support]


def test_a_results_folder_may_be_given_as_text() -> None:
    folder = shipped_results()
    assert runs(str(folder)) == runs(folder)
    assert broken_runs(str(folder)) == []
    with connect(str(folder)) as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (len(runs(folder)),)
