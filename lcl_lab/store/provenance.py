"""The provenance of a result: code, versions, machine, configuration, seeds, time and command."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from lcl_lab.atomic import canonical_json

__all__ = ["PACKAGES", "Provenance", "collect", "git_state"]

PACKAGES = (
    "lcl_lab", "torch", "transformers", "accelerate", "open_clip_torch", "ray",
    "pandas", "statsmodels", "numpy", "duckdb", "pyarrow",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Provenance:
    """Everything needed to reproduce a result.

    Attributes:
        commit: the git commit; None if the package is not in a git checkout that tracks it.
        dirty: whether that checkout has uncommitted changes.
        versions: versions of Python and of `PACKAGES`; None for those that are not installed.
        platform: the operating system.
        cpu_count: the number of CPUs.
        device: where models ran.
        config: the configuration.
        seeds: the study seeds.
        seconds: wall time.
        started: UTC.
        finished: UTC.
        command: the command in shell syntax.
        blind_models: the models that did not see the images of supports.
        workers: the processes that shared the evaluation.
    """

    commit: str | None
    dirty: bool | None
    versions: dict[str, str | None]
    platform: str
    cpu_count: int | None
    device: str
    config: dict[str, Any]
    seeds: tuple[int, ...]
    seconds: float
    started: datetime
    finished: datetime
    command: str
    blind_models: tuple[str, ...] = ()
    workers: int = 1

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values, with times in ISO 8601."""
        return {**asdict(self), "started": self.started.isoformat(), "finished": self.finished.isoformat()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Provenance:
        """The inverse of `to_json`.

        Raises:
            ValueError: the value does not come from `to_json`.
        """
        return TypeAdapter(cls).validate_json(canonical_json(value), strict=True)


def collect(
    config: Mapping[str, object],
    seeds: Sequence[int],
    device: str,
    seconds: float,
    command: Sequence[str],
    blind_models: Sequence[str] = (),
    workers: int = 1,
) -> Provenance:
    """Collect the provenance of a result that has just been finished. Works without git, too.

    Args:
        config: the configuration, as JSON values.
        seeds: the study seeds.
        device: where models ran.
        seconds: wall time.
        command: the arguments of the process, program first.
        blind_models: the models that did not see the images of supports.
        workers: the processes that shared the evaluation.
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
        blind_models=tuple(blind_models),
        workers=workers,
    )


def git_state(file: Path) -> tuple[str | None, bool | None]:
    """The commit of the checkout that tracks a file, and whether it has uncommitted changes; else (None, None)."""
    # A package installed inside another project's checkout, such as in its .venv, does not belong to that checkout.
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
        process = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            check=False,
            text=True,
            timeout=30,
            env=environment,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return process.stdout.strip() if process.returncode == 0 else None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
