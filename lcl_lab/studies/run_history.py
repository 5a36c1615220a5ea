"""How a run came about, as far as its report must say it: what was registered, and how often the question was asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcl_lab import reporting, store
from lcl_lab.studies.registration import Registration, read_registration

if TYPE_CHECKING:
    from lcl_lab.reporting import Findings, Statement
    from lcl_lab.studies.study_config import StudyConfig

__all__ = ["RunHistory", "read_history", "with_history"]

_LEVEL = 0.05


@dataclass(frozen=True)
class RunHistory:
    """How a run came about.

    Attributes:
        looks: the number of samples that were analysed for the same question, this one included; see
            `lcl_lab.store.count_look`.
        registration: what was registered before its first record; None if nothing was.
    """

    looks: int = 1
    registration: Registration | None = None


def read_history(run: Path) -> RunHistory:
    """The history of a stored run.

    Raises:
        UserError: its registration was edited, or a file cannot be read.
    """
    looks = [event.get("look") for event in store.read_events(run) if event.get("event") == "analysed"]
    return RunHistory(next((look for look in looks if isinstance(look, int)), 1), read_registration(run))


def with_history(
    config: StudyConfig, findings: Findings, identities: Sequence[Mapping[str, Any]], history: RunHistory
) -> Findings:
    """Findings that say what was registered, and that correct the verdicts on claims for repeated looks.

    Args:
        config: the options of the study.
        findings: what it found.
        identities: the stored configurations of the runs that they are from; a registration is of one.
        history: how the run came about.
    """
    statements: list[Statement] = []
    if history.registration and len(identities) == 1:
        statements.append(_registered(history.registration, identities[0], config, findings))
    if history.looks > 1:
        statements.append(
            reporting.Statement(
                "Look {looks} at this question: the same design, models and data were analysed before with another "
                "number of queries or another seed. The probability that a true null hypothesis is rejected at one of "
                "the looks is up to {error:.0%}; below, the last column divides the level of each claim by {looks}.",
                {"looks": history.looks, "error": min(1.0, history.looks * _LEVEL)},
            )
        )
    if not statements:
        return findings
    section = reporting.Section("Registration and looks", statements, name="registration")
    return replace(findings, sections=[*findings.sections, section], looks=history.looks)


def _registered(
    registration: Registration, identity: Mapping[str, Any], config: StudyConfig, findings: Findings
) -> Statement:
    changes = registration.changes(identity, config, findings.claims)
    values = {"file": registration.file, "time": registration.time, "sha256": registration.sha256[:16]}
    if not changes:
        return reporting.Statement(
            "Registered before the first record, {time} in {file} (SHA-256 {sha256}…): design, models, margins, claims "
            "and number of queries are as registered.",
            values,
            verdict="registered",
        )
    return reporting.Statement(
        "Changed after registration ({time} in {file}, SHA-256 {sha256}…): {changes}.",
        {**values, "changes": "; ".join(changes)},
        verdict="changed after registration",
    )
