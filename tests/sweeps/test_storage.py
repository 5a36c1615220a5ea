"""Nodes that share no folder: a real S3-compatible server on loopback holds what trials make."""

from __future__ import annotations

import json
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from lcl_lab.errors import UserError
from lcl_lab.store import same_records
from lcl_lab.sweeps.storage import Storage
from tests.sweeps.grids import ONE, records, run, started, wait_for

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
pytestmark = pytest.mark.timeout(1800)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """The URL of a folder in a bucket of a server that runs here."""
    import boto3

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "LCL_LAB_CACHE": str(tmp_path / "cache"),
    }.items():
        monkeypatch.setenv(name, value)
    boto3.client("s3").create_bucket(Bucket="lab")
    yield "s3://lab/results"
    server.stop()


@pytest.mark.parametrize("kind", ["s3", "file"])
def test_a_trial_s_folder_goes_on_where_another_node_left_it(
    kind: str, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = bucket if kind == "s3" else (tmp_path / "shared").as_uri()
    with Storage(bucket, "grid").folder("mix") as folder:
        (folder / "results").mkdir(parents=True)
        (folder / "results" / "a.parquet").write_bytes(b"1")
        (folder / "results" / "b.parquet.tmp").write_bytes(b"half")
        (folder / "results" / "old").write_bytes(b"2")
    monkeypatch.setenv("LCL_LAB_CACHE", str(tmp_path / "other node"))
    with Storage(bucket, "grid").folder("mix") as folder:
        assert {path.name for path in folder.rglob("*") if path.is_file()} == {"a.parquet", "old"}
        (folder / "results" / "old").unlink()
    Storage(bucket, "grid").fetch("mix", "", tmp_path / "here")
    assert [path.name for path in (tmp_path / "here" / "results").iterdir()] == ["a.parquet"]


def test_a_driver_keeps_others_off_and_a_dead_one_for_a_while_only(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        Storage(bucket, "grid").claimed(),
        pytest.raises(UserError, match=r"a driver on .* runs this sweep"),
        Storage(bucket, "grid").claimed(),
    ):
        pass
    storage = Storage(bucket, "grid")
    with storage.files.open_output_stream(f"{storage.root}/driver.json") as file:
        file.write(json.dumps({"host": "gone", "pid": 1, "time": time.time() - 31}).encode())
    with storage.claimed():
        pass
    with storage.files.open_output_stream(f"{storage.root}/driver.json") as file:
        file.write(json.dumps({"host": socket.gethostname(), "pid": 2**22 + 1, "time": time.time()}).encode())
    with storage.claimed():
        pass


@pytest.mark.parametrize(
    ("url", "told"),
    [("s4://lab/results", "give s3://BUCKET"), ("results", "give s3://BUCKET"), ("s3://nowhere/results", "nowhere")],
)
def test_what_cannot_be_used_is_one_line(url: str, told: str, bucket: str, tmp_path: Path) -> None:
    done = run(tmp_path, "--storage", url, grid=ONE)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: --storage {url}: ")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_killed_sweep_goes_on_from_another_machine_to_the_same_records(
    bucket: str, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = Storage(bucket, "grid")
    with started(tmp_path / "one", "--storage", bucket, "--workers", "1", grid=ONE):
        wait_for(lambda: storage.has("2-way-seed-0", "sweep/models/2-way-seed-0/card.json"))
    shutil.rmtree(tmp_path / "one")
    shutil.rmtree(tmp_path / "cache")
    (words,) = (line.split()[6:] for line in README.splitlines() if "lcl_lab.sweep" in line and "--storage" in line)
    assert words == ["--storage", "s3://BUCKET/sweeps"]
    done = run(tmp_path / "two", words[0], bucket, "--workers", "1", grid=ONE)
    assert done.returncode == 0, done.stderr
    assert same_records(records(undisturbed), records(tmp_path / "two"), tolerance=1e-4) is None
    assert not list((tmp_path / "cache" / "trials").rglob("*.parquet"))
    done = run(tmp_path / "three", "--storage", bucket, grid=ONE)  # nothing is run again, all is brought
    assert done.returncode == 0, done.stderr
    assert same_records(records(undisturbed), records(tmp_path / "three"), tolerance=0) is None
