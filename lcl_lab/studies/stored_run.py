"""A stored run with the findings of this version, without evaluating anything."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, ValidationError

from lcl_lab import store
from lcl_lab.config import Config
from lcl_lab.errors import UserError
from lcl_lab.studies.run_history import read_history
from lcl_lab.studies.runner import StudyResult
from lcl_lab.studies.study_registry import find_study

if TYPE_CHECKING:
    from lcl_lab.studies.study import Study
    from lcl_lab.studies.study_config import StudyConfig

__all__ = ["ReportConfig", "read_result", "stored_config", "stored_options"]


class ReportConfig(Config):
    """The run to report, and where."""

    POSITIONAL: ClassVar[tuple[str, ...]] = ("run",)

    run: Path = Field(description="run directory, such as results/false_ratio/20260101-120000-0a1b2c3d")
    latex: Path | None = Field(None, description="folder for tables, methods, bibliography and figures in LaTeX")


def read_result(run: Path | str) -> StudyResult:
    """The result of a stored run, analysed again.

    Args:
        run: the run directory, such as ``results/false_ratio/20260101-120000-0a1b2c3d``.

    Returns:
        What `run_study` returned, with the findings of this version. An unfinished run has the findings of its records
        so far.

    Raises:
        UserError: it is not a run directory, it has no records, or its study is not known.
    """
    info = store.read_info(Path(run))
    if "runs" in info.config:
        raise UserError(f"{run} is a report of several runs; give one of them, such as {info.config['runs'][0]}")
    study = find_study(info.study)
    records = store.read_run(info.path)
    if records.empty:
        raise UserError(f"{run} has no records yet; the command of its study resumes it")
    config = stored_config(study, info)
    try:
        findings = study.findings(config, records, [info.config], read_history(info.path))
    except (KeyError, ValueError, IndexError):
        if info.finished:
            raise
        raise UserError(f"{run} is not finished, and its records so far are too few to analyse") from None
    return StudyResult(study.name, config, info.path, findings, records)


def stored_config(study: Study[Any], run: store.RunInfo) -> StudyConfig:
    """The options that a run was started with, as far as this version still has them; else the defaults.

    Args:
        study: the study of the run.
        run: the run.
    """
    known = {name: value for name, value in stored_options(run).items() if name in study.config.model_fields}
    config: StudyConfig
    try:
        config = study.config.create(**known)
    except (UserError, ValidationError):
        config = study.config.create()
    return config


def stored_options(run: store.RunInfo) -> dict[str, Any]:
    """The options that a run was started with, as its log records them; empty if it does not."""
    began = [event for event in store.read_events(run.path) if event.get("event") == "began"]
    options = began[-1].get("options") if began else None
    return options if isinstance(options, dict) else {}
