from __future__ import annotations

import json
import shlex
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from lcl_lab.store import Provenance, collect
from lcl_lab.store.provenance import PACKAGES, git_state


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=t", "-c", "user.email=t@t"]
    return subprocess.check_output(["git", "-C", str(folder), *who, *arguments], text=True).strip()


def test_collect_says_what_it_takes_to_repeat() -> None:
    command = ["python", "-m", "lcl_lab.studies.shots", "--title", "it's mine"]
    made = collect({"shots": [1, 2]}, [0, 7], "cuda:0 (H200)", 90.0, command)
    assert shlex.split(made.command) == command
    assert made.finished - made.started == timedelta(seconds=90)
    assert made.finished.utcoffset() == timedelta(0)
    assert set(made.versions) == {"python", *PACKAGES}
    assert made.versions["duckdb"] and made.versions["open_clip_torch"] and made.versions["lcl_lab"]
    assert (made.config, made.seeds, made.device, made.seconds) == ({"shots": [1, 2]}, (0, 7), "cuda:0 (H200)", 90.0)


def test_provenance_survives_json() -> None:
    made = collect({"shots": [1, 2]}, [0, 7], "cpu", 1.0, ["x"])
    assert Provenance.from_json(json.loads(json.dumps(made.to_json()))) == made


def test_git_state_of_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "package" / "module.py"
    source.parent.mkdir()
    source.write_text("")
    assert git_state(source) == (None, None)  # no checkout
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    assert git_state(source) == (None, None)  # no commit
    git(tmp_path, "commit", "-qm", "first")
    commit = git(tmp_path, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert git_state(source) == (commit, False)
    (tmp_path / "new.py").write_text("")
    assert git_state(source) == (commit, True)


def test_installed_below_another_checkout_has_no_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-qm", "first", "--allow-empty")
    installed = tmp_path / ".venv" / "module.py"
    installed.parent.mkdir()
    installed.write_text("")
    assert git_state(installed) == (None, None)


def test_without_git_there_is_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    made = collect({}, [], "cpu", 0.0, ["x"])
    assert made.commit is None and made.dirty is None
