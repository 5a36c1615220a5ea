"""Studies that are shared by several workers, on real Ray clusters of this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

import lcl_lab as lcl
from lcl_lab.errors import UserError
from lcl_lab.evaluation import BLIND
from lcl_lab.interrupts import EXIT_CODE, MESSAGE
from lcl_lab.ray_cluster import leave_cluster, start_cluster
from lcl_lab.store import read_events, read_info, same_records
from lcl_lab.studies import StudyResult, run_study
from tests.sweeps.grids import PATIENCE, environment, files_below, killing_descendants, wait_for

pytestmark = pytest.mark.timeout(1200)

# It answers as an embedded model does, or misbehaves when a file next to it says so.
MODEL = """
import os, signal, time
from pathlib import Path
from lcl_lab.errors import UserError
from lcl_lab.models import load_model

FOLDER = Path(__file__).parent


class Disturbed:
    name, fingerprint, device = "disturbed", "1", "cpu"

    def __init__(self):
        self.model = load_model("mini/2-way")
        with (FOLDER / "loads.txt").open("a") as file:
            file.write(f"{os.getpid()}\\n")

    def answer(self, prompts, image):
        for number, answer in enumerate(self.model.answer(prompts, image)):
            if len(prompts) > 10 and number == 5:
                self.misbehave()
            yield answer

    def misbehave(self):
        if (FOLDER / "slow").exists():
            time.sleep(1)
        if (FOLDER / "kill always").exists():
            os.kill(os.getpid(), signal.SIGKILL)
        if (FOLDER / "kill once").exists():
            (FOLDER / "kill once").unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        if (FOLDER / "mistake").exists():
            raise UserError("says no", option="model", value=self.name)
        if (FOLDER / "defect").exists():
            raise ZeroDivisionError("a defect")


def load():
    return Disturbed()
"""
IGNORES_SUPPORTS = """
from lcl_lab.models import Answer, Loglik


class Blind:
    name, fingerprint, device = "blind", "1", "cpu"

    def answer(self, prompts, image):
        for prompt in prompts:
            yield Answer("", tuple(Loglik(-float(len(name)), 1) for name in prompt.candidates), 0.0)


def load():
    return Blind()
"""
OPTIONS: dict[str, Any] = {"queries": 60, "shots": 2, "ratios": (0, 1)}


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """One for all tests that take it, as a notebook may have one."""
    start_cluster(2)
    yield
    leave_cluster()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "disturbed.py").write_text(MODEL)
    return tmp_path / "disturbed.py"


def run(file: Path, results: str, workers: int, **options: Any) -> StudyResult:
    chosen = {"model": f"disturbed={file}", **OPTIONS, **options}
    return run_study("false_ratio", **chosen, workers=workers, results=file.parent / results)


def command_of(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_killed_worker_changes_no_record_and_each_loads_a_model_once(model: Path) -> None:
    blind = model.parent / "blind.py"
    blind.write_text(IGNORES_SUPPORTS)
    evaluated = (f"disturbed={model}", f"blind={blind}")
    expected = run(model, "one", 1, model=evaluated)
    (model.parent / "kill once").touch()
    progress: list[tuple[int, int]] = []
    shared = run(model, "two", 2, model=evaluated, report=lambda *numbers: progress.append(numbers))
    assert not (model.parent / "kill once").exists()
    assert same_records(expected.records, shared.records, tolerance=1e-4) is None
    assert len(shared.records) == len(expected.records) == 360
    loads = Counter((model.parent / "loads.txt").read_text().split())
    del loads[str(os.getpid())]
    assert list(loads.values()) == [1, 1, 1]  # the third in place of the one that was killed
    assert [event["model"] for event in read_events(shared.path) if event["event"] == BLIND] == ["blind"]
    assert progress
    assert {total for _, total in progress} == {360}
    assert max(answered for answered, _ in progress) <= 360
    provenance = read_info(shared.path).provenance
    assert provenance
    assert (provenance.workers, provenance.device) == (2, "cpu")


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_errors_of_workers_are_those_of_one_process(model: Path) -> None:
    (model.parent / "mistake").touch()
    with pytest.raises(UserError) as alone:
        run(model, "one", 1, queries=20)
    with pytest.raises(UserError) as shared:
        run(model, "two", 2, queries=20)
    assert str(shared.value) == str(alone.value) == "model disturbed: says no"
    (model.parent / "mistake").rename(model.parent / "defect")
    with pytest.raises(ZeroDivisionError, match="a defect"):
        run(model, "two", 2, queries=20)


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_workers_that_are_lost_again_and_again_end_the_run_in_one_line(model: Path) -> None:
    (model.parent / "kill always").touch()
    with pytest.raises(UserError) as error:
        run(model, "two", 2, queries=20)
    assert str(error.value).startswith("3 workers were lost with the cell disturbed_shots=2_false_ratio=")
    assert str(error.value).endswith("; the same command resumes from what is stored")


@pytest.mark.slow
def test_ctrl_c_ends_all_workers_and_the_run_resumes_with_another_number_of_them(model: Path) -> None:
    folder = model.parent
    (folder / "slow").touch()
    options = f"--model disturbed={model} --queries 100 --shots 2 --ratios 0 1 --results two --workers 2".split()
    with killing_descendants() as mark, (folder / "errors.txt").open("wb") as errors:
        process = psutil.Popen(
            [sys.executable, "-m", "lcl_lab.studies.false_ratio", *options],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
            env=environment(**mark, COLUMNS="500"),
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        wait_for(lambda: process.poll() is not None or files_below(folder / "two", "disturbed_*.parquet"))
        descendants = process.children(recursive=True)
        workers = [one for one in descendants if "CellWorker" in command_of(one)]
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(PATIENCE) == EXIT_CODE
        _, alive = psutil.wait_procs(descendants, timeout=60)
    lines = (folder / "errors.txt").read_text().splitlines()
    assert lines[-1] == MESSAGE
    assert not any("Traceback" in line for line in lines)
    assert workers
    assert not alive
    (folder / "slow").unlink()
    stored = {path: path.stat().st_mtime_ns for path in files_below(folder / "two", "records/*.parquet")}
    resumed = run(model, "two", 1, queries=100)
    assert {path: path.stat().st_mtime_ns for path in stored} == stored
    assert same_records(run(model, "one", 1, queries=100).records, resumed.records, tolerance=1e-4) is None


def test_more_workers_than_cores_are_refused_before_anything_starts(tmp_path: Path) -> None:
    cores = os.cpu_count() or 1
    with pytest.raises(UserError, match=rf"workers {cores + 1}: too many; this machine has {cores} CPU cores"):
        lcl.run_study("false_ratio", preset="tiny", workers=cores + 1, gpus_per_worker=0, results=tmp_path)
    assert not list(tmp_path.iterdir())


def test_one_worker_is_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("starts workers")

    for name in ("check_workers", "on_workers"):
        monkeypatch.setattr(f"lcl_lab.evaluation.{name}", fail)
    lcl.run_study("false_ratio", preset="tiny", queries=2, model="mini/prototype", workers=1, results=tmp_path)
