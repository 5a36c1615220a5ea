"""One broken run never stops the others, whatever is wrong with it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

import lcl_lab as lcl
from lcl_lab.commands import main
from lcl_lab.errors import UserError
from lcl_lab.store import Run, all_runs, broken_runs, connect_to, read_records, read_run
from lcl_lab.store.run_layout import config_digest
from tests.faults.damage import (
    CONFIG_CONTENTS,
    CONFIGS,
    EDITED_COLUMNS,
    NEW_COLUMNS,
    NOT_FILES,
    PROVENANCES,
    TEXTS,
    TOTALS,
    Damage,
    edit_json,
    edit_table,
    flip,
    forget_checksums,
    rename_to_its_hash,
)
from tests.store.factories import CONFIG, STUDY, provenance, record

pytestmark = pytest.mark.attack

GOOD, UNFINISHED = {**CONFIG, "preset": "good"}, {**CONFIG, "preset": "unfinished"}
ROWS = 2


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good run next to a finished one and an unfinished one, which tests damage in a copy."""
    results = tmp_path_factory.mktemp("template")
    for config, finished in ((GOOD, True), (CONFIG, True), (UNFINISHED, False)):
        with Run.open(results, STUDY, config) as run:
            for cell in range(2):
                run.commit(f"cell={cell}", [record(query, cell, shots=4) for query in range(ROWS)])
            if finished:
                run.finish(provenance())
    return results


@pytest.fixture
def results(template: Path, tmp_path: Path) -> Path:
    shutil.copytree(template, tmp_path / "results")
    return tmp_path / "results"


def find(results: Path, config: dict[str, Any]) -> Path:
    (path,) = results.glob(f"*/*-{config_digest({'study': STUDY, 'config': config})}")
    return path


@pytest.fixture
def finished(results: Path) -> Path:
    return find(results, CONFIG)


@pytest.fixture
def unfinished(results: Path) -> Path:
    return find(results, UNFINISHED)


def content(run: Path) -> dict[str, bytes | None]:
    """All regular files of a run but its lock, and the names of everything else."""
    files = [path for path in run.rglob("*") if path.name != "run.lock"]
    is_regular = {path: path.is_file() and not path.is_symlink() for path in files}
    return {str(path.relative_to(run)): path.read_bytes() if is_regular[path] else None for path in files}


def check_broken(run: Path, reason: str = "") -> None:
    """Check that a run is listed with a reason of one line, not resumed and not changed, and that others are read."""
    readable, (broken,) = all_runs(run.parents[1])
    assert broken.path == run
    assert reason in broken.reason
    assert len(broken.reason.splitlines()) == 1 and len(broken.reason) < 300
    assert len(readable) == 2
    with connect_to(readable) as connection:
        assert connection.execute("SELECT count(*), count(DISTINCT run) FROM records").fetchall() == [(8, 2)]
    with pytest.raises(UserError) as caught:
        read_run(run)
    assert len(str(caught.value).splitlines()) == 1
    before = content(run)
    with Run.open(run.parents[1], STUDY, CONFIG) as opened:
        assert opened.path != run
    assert content(run) == before


@pytest.mark.parametrize(
    "name", ["20261399-256199", "00000000-000000", "20260230-120000", "99999999-999999", "20260101-240000"]
)
def test_a_directory_with_an_impossible_time(finished: Path, name: str) -> None:
    check_broken(finished.rename(finished.with_name(f"{name}-{finished.name[-8:]}")), "date and time")


def test_a_directory_with_other_digits_is_no_run(finished: Path) -> None:
    finished.rename(finished.with_name("२०२६११२७-१२००००" + finished.name[-9:]))
    assert not broken_runs(finished.parents[1])
    assert len(read_records(finished.parents[1])) == 8


def test_a_study_whose_name_is_not_unicode(results: Path, finished: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(results) + b"/caf\xe9"))
    folder.mkdir()
    check_broken(finished.rename(folder / finished.name), "UTF-8")


@pytest.mark.parametrize("file", ["config.json", "manifest.json", "events.jsonl", "records.parquet"])
@pytest.mark.parametrize("kind", NOT_FILES)
def test_something_else_in_the_place_of_a_file(finished: Path, file: str, kind: str) -> None:
    NOT_FILES[kind](finished / file)
    check_broken(finished, file)


@pytest.mark.parametrize("kind", NOT_FILES)
def test_something_else_in_the_place_of_a_shard(unfinished: Path, kind: str) -> None:
    NOT_FILES[kind](unfinished / "records" / "cell=1.parquet")
    check_broken(unfinished, "cell=1.parquet is not a file")


@pytest.mark.parametrize("kind", [kind for kind in NOT_FILES if kind != "a folder"])
def test_something_else_in_the_place_of_the_shards(unfinished: Path, kind: str) -> None:
    shutil.rmtree(unfinished / "records")
    NOT_FILES[kind](unfinished / "records")
    check_broken(unfinished, "records is not a folder")


@pytest.mark.parametrize("file", ["config.json", "manifest.json"])
@pytest.mark.parametrize("text", TEXTS)
def test_a_file_that_is_not_json(finished: Path, file: str, text: str) -> None:
    (finished / file).write_bytes(TEXTS[text])
    check_broken(finished, file)


@pytest.mark.parametrize("kind", CONFIG_CONTENTS)
def test_a_configuration_of_another_run(finished: Path, kind: str) -> None:
    edit_json(finished / "config.json", lambda content: (content.clear(), content.update(CONFIG_CONTENTS[kind])))
    check_broken(finished, "config.json")


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_configuration_of_wrong_shape(finished: Path, kind: str) -> None:
    edit_json(finished / "config.json", lambda content: content["config"].update(CONFIGS[kind]))
    check_broken(rename_to_its_hash(finished), "config.json: ")


@pytest.mark.parametrize("kind", PROVENANCES)
def test_a_provenance_of_wrong_types(finished: Path, kind: str) -> None:
    edit_json(finished / "manifest.json", lambda manifest: manifest["provenance"].update(PROVENANCES[kind]))
    check_broken(finished, "manifest.json cannot be read")


@pytest.mark.parametrize("kind", TOTALS)
def test_totals_that_are_not_those_of_the_records(finished: Path, kind: str) -> None:
    edit_json(finished / "manifest.json", lambda manifest: manifest.update(totals=TOTALS[kind]))
    check_broken(finished)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 1.0])
def test_one_wrong_byte_in_a_finished_run(finished: Path, share: float) -> None:
    flip(finished / "records.parquet", share)
    check_broken(finished, "records.parquet: its SHA-256")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 1.0])
def test_one_wrong_byte_in_a_shard(unfinished: Path, share: float) -> None:
    flip(unfinished / "records" / "cell=1.parquet", share)
    check_broken(unfinished, "cell=1.parquet: its SHA-256")


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
@pytest.mark.parametrize("has_checksum", [True, False])
def test_a_file_that_ends_early(finished: Path, share: float, has_checksum: bool) -> None:
    if not has_checksum:
        forget_checksums(finished)
    file = finished / "records.parquet"
    os.truncate(file, int(file.stat().st_size * share))
    check_broken(finished, "records.parquet")


def test_wrong_bytes_in_a_run_of_an_earlier_version_below_an_intact_footer(finished: Path) -> None:
    forget_checksums(finished)
    file = finished / "records.parquet"
    stored = bytearray(file.read_bytes())
    stored[4:600] = bytes(596)
    file.write_bytes(stored)
    check_broken(finished, "records.parquet: ")


@pytest.mark.parametrize("kind", [*NEW_COLUMNS, *EDITED_COLUMNS])
def test_columns_that_are_not_those_of_records(finished: Path, unfinished: Path, kind: str) -> None:
    edit = {**NEW_COLUMNS, **EDITED_COLUMNS}[kind]
    forget_checksums(finished)
    edit_table(finished / "records.parquet", edit)
    check_broken(finished, "records.parquet: ")


@pytest.mark.parametrize("kind", ["SEED", "a struct", "answer is a number", "pair is dropped"])
def test_columns_of_a_shard_that_are_not_those_of_records(unfinished: Path, kind: str) -> None:
    forget_checksums(unfinished)
    edit_table(unfinished / "records" / "cell=0.parquet", {**NEW_COLUMNS, **EDITED_COLUMNS}[kind])
    check_broken(unfinished, "cell=0.parquet: ")


def test_a_run_of_an_earlier_version_is_read_without_checksums(finished: Path, unfinished: Path) -> None:
    before = [read_run(run) for run in (finished, unfinished)]
    for run in (finished, unfinished):
        forget_checksums(run)
    assert not broken_runs(finished.parents[1])
    for run, records in zip((finished, unfinished), before, strict=True):
        assert read_run(run).equals(records)


def test_records_that_were_removed_since_are_reported(finished: Path) -> None:
    readable, _ = all_runs(finished.parents[1])
    (finished / "records.parquet").unlink()
    with pytest.raises(UserError, match=r"cannot read records: .*records\.parquet"):
        connect_to(readable)


LINES = {
    "deep": b"[" * 100_000,
    "an array": b"[]",
    "a number as event": b'{"event": 1}',
    "a list as event": b'{"event": []}',
    "a dictionary as code": b'{"event": "evaluating", "code": {}}',
    "text as options": b'{"event": "began", "options": "x"}',
    "text as look": b'{"event": "analysed", "look": "x"}',
    "an infinite look": b'{"event": "analysed", "look": 1e999}',
    "a dictionary as cell": b'{"event": "stored", "cell": {}}',
    "half a surrogate": b'{"event": "\\ud800"}',
    "bytes": bytes(range(256)),
}


@pytest.mark.parametrize("line", LINES)
def test_a_line_of_the_log_that_nobody_wrote(unfinished: Path, line: str) -> None:
    with (unfinished / "events.jsonl").open("ab") as file:
        file.write(b"\n" + LINES[line] + b"\n")
    assert not broken_runs(unfinished.parents[1])
    with Run.open(unfinished.parents[1], STUDY, UNFINISHED, code="1", cells={"new"}) as run:
        run.events()


@pytest.mark.parametrize(
    "damage", [lambda run: flip(run / "records.parquet", 0.5), lambda run: NOT_FILES["a FIFO"](run / "manifest.json")]
)
def test_a_report_of_a_run_says_in_one_line_what_is_wrong_with_it(
    finished: Path, damage: Damage, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(finished)
    with pytest.raises(SystemExit) as ended:
        main(["report", str(finished)])
    assert ended.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def small_study(results: Path) -> lcl.StudyResult:
    return lcl.run_study("false_ratio", preset="tiny", model="mini/prototype", queries=4, results=results, verbose=True)


@pytest.mark.slow
def test_a_broken_run_of_a_study_is_run_again_and_left_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = small_study(tmp_path)
    flip(first.path / "records.parquet", 0.5)
    before = content(first.path)
    capsys.readouterr()
    second = small_study(tmp_path)
    errors = capsys.readouterr().err.replace("\n", "")
    assert second.path != first.path
    assert content(first.path) == before
    assert f"{first.path} is broken and left as it is (records.parquet: its SHA-256" in errors
    assert f"this run is {second.path.name}" in errors
    assert small_study(tmp_path).path == second.path
