"""Where a result comes from: source, versions, machine, configuration, seeds, time and command."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

__all__ = ["PACKAGES", "Provenance", "collect", "git_state"]

PACKAGES = (
    "lcl_lab", "torch", "transformers", "accelerate", "open_clip_torch", "ray",
    "pandas", "statsmodels", "numpy", "duckdb", "pyarrow",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Provenance:
    """What it takes to make a result again."""

    commit: str | None  # None when the package does not lie in a git checkout that tracks it
    dirty: bool | None  # uncommitted changes in that checkout
    versions: dict[str, str | None]  # "python" and PACKAGES; None when not installed
    platform: str
    cpu_count: int | None
    device: str
    config: dict[str, Any]
    seeds: tuple[int, ...]
    seconds: float
    started: datetime  # UTC
    finished: datetime  # UTC
    command: str  # as one types it into a shell

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON has them: times in ISO 8601."""
        return {**asdict(self), "started": self.started.isoformat(), "finished": self.finished.isoformat()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Provenance:
        """What `to_json` gave. Raises KeyError, TypeError or ValueError when it is anything else."""
        times = {name: datetime.fromisoformat(value[name]) for name in ("started", "finished")}
        return cls(**{**value, **times, "seeds": tuple(value["seeds"])})


def collect(
    config: Mapping[str, object], seeds: Sequence[int], device: str, seconds: float, command: Sequence[str]
) -> Provenance:
    """The provenance of a result that has just been finished, after `seconds` of wall time.

    command: the arguments of the process, program first. Imports none of the packages it gives the versions of, and
    does not fail without git.
    """
    commit, dirty = git_state(Path(__file__))
    finished = datetime.now(UTC)
    return Provenance(
        commit=commit,
        dirty=dirty,
        versions={"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
        platform=platform.platform(),
        cpu_count=os.cpu_count(),
        device=device,
        config=dict(config),
        seeds=tuple(seeds),
        seconds=seconds,
        started=finished - timedelta(seconds=seconds),
        finished=finished,
        command=shlex.join(command),
    )


def git_state(file: Path) -> tuple[str | None, bool | None]:
    """Commit, and whether there are uncommitted changes, of the checkout that tracks the file; else (None, None)."""
    # A wheel installed below somebody else's checkout (a .venv there) is not of that checkout.
    if _git(file.parent, "ls-files", "--error-unmatch", file.name) is None:
        return None, None
    commit, status = _git(file.parent, "rev-parse", "--verify", "HEAD"), _git(file.parent, "status", "--porcelain")
    if commit is None or status is None:
        return None, None
    return commit, bool(status)


def _git(folder: Path, *arguments: str) -> str | None:
    # Inside a git hook these variables name another repository than the folder's.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment["GIT_OPTIONAL_LOCKS"] = "0"
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            check=False,
            text=True,
            timeout=30,
            env=environment,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _version(package: str) -> str | None:
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
