"""Nodes that share no folder: a real S3-compatible server on loopback stores what trials write."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from lcl_lab import run_sweep
from lcl_lab.errors import UserError
from lcl_lab.store import same_records
from lcl_lab.sweeps import storage as storage_module
from lcl_lab.sweeps.storage import Storage
from tests.sweeps.grids import ONE, documented, records, run, started, wait_for

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """The URL of a folder in a bucket of a local server."""
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
def test_the_folder_of_a_trial_continues_on_another_node(
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


@pytest.mark.slow
def test_a_driver_refuses_others_and_the_claim_of_a_dead_one_expires(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever its clock said, and even if a process here has the number that a dead driver had."""
    monkeypatch.setattr(storage_module, "_RENEW_EVERY", 0.5)
    monkeypatch.setattr(storage_module, "_LOOK_EVERY", 0.1)
    monkeypatch.setattr(storage_module, "_CLAIM_EXPIRES", 3)
    with (
        Storage(bucket, "grid").claimed(),
        pytest.raises(UserError, match=r"a driver on .* runs this sweep"),
        Storage(bucket, "grid").claimed(),
    ):
        pass
    storage, here = Storage(bucket, "grid"), socket.gethostname()
    for host, pid, clock in (("gone", 1, 0), ("gone", 1, 9e9), (here, os.getpid(), 9e9), (here, 2**22 + 1, 0)):
        with storage.files.open_output_stream(f"{storage.root}/driver.json") as file:
            file.write(json.dumps({"host": host, "pid": pid, "time": clock}).encode())
        with storage.claimed():
            pass


@pytest.mark.parametrize(
    ("url", "message"),
    [("s4://lab/results", "give s3://BUCKET"), ("results", "give s3://BUCKET"), ("s3://nowhere/results", "nowhere")],
)
def test_an_unusable_storage_is_reported_in_one_line(url: str, message: str, bucket: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        run_sweep(strategies="2-way", storage=url, results=tmp_path)
    assert str(error.value).startswith(f"storage {url}: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_a_killed_sweep_resumes_on_another_machine_to_the_same_records(
    bucket: str, undisturbed: Path, tmp_path: Path
) -> None:
    storage = Storage(bucket, "grid")
    with started(tmp_path / "one", "--storage", bucket, "--workers", "1", grid=ONE):
        wait_for(lambda: storage.has("2-way-seed-0", "sweep/models/2-way-seed-0/card.json"))
    shutil.rmtree(tmp_path / "one")
    shutil.rmtree(tmp_path / "cache")
    option = documented(r".*\bsweep studies/.* --storage s3://BUCKET/sweeps").split()[-2]
    done = run(tmp_path / "two", option, bucket, "--workers", "1", grid=ONE)
    assert done.returncode == 0, done.stderr
    assert same_records(records(undisturbed), records(tmp_path / "two"), tolerance=1e-4) is None
    assert not list((tmp_path / "cache" / "trials").rglob("*.parquet"))
    done = run(tmp_path / "three", "--storage", bucket, grid=ONE)  # runs nothing again and fetches all records
    assert done.returncode == 0, done.stderr
    assert same_records(records(tmp_path / "two"), records(tmp_path / "three"), tolerance=0) is None
