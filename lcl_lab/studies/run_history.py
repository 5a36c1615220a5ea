"""How a run came about, as far as its report must say it: what was registered, and how often the question was asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcl_lab import evaluation, reporting, store
from lcl_lab.studies.registration import Registration, read_registration

if TYPE_CHECKING:
    from lcl_lab.reporting import Findings, Statement
    from lcl_lab.studies.study_config import StudyConfig

__all__ = ["RunHistory", "read_history", "with_history"]

_LEVEL = 0.05
_MANY = 0.05  # share of names that a model cannot generate above which the report begins with them


@dataclass(frozen=True)
class RunHistory:
    """How a run came about.

    Attributes:
        looks: the number of samples that were analysed for the same question, this one included; see
            `lcl_lab.store.count_look`.
        registration: what was registered before its first record; None if nothing was.
        unsayable: for each model that cannot generate some names, their number and the number of all names.
        blind: the models that do not see the images of supports.
    """

    looks: int = 1
    registration: Registration | None = None
    unsayable: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    blind: tuple[str, ...] = ()


def read_history(run: Path) -> RunHistory:
    """The history of a stored run.

    Raises:
        UserError: its registration was edited, or a file cannot be read.
    """
    looks = 1
    unsayable: dict[str, tuple[int, int]] = {}
    blind: dict[str, None] = {}
    for event in reversed(store.read_events(run)):
        match event:
            case {"event": "analysed", "look": int(look)}:
                looks = look
            case {"event": evaluation.UNSAYABLE, "model": str(model), "names": int(names), "unsayable": int(count)}:
                unsayable[model] = count, names
            case {"event": evaluation.BLIND, "model": str(model)}:
                blind[model] = None
    return RunHistory(looks, read_registration(run), unsayable, tuple(blind))


def with_history(
    config: StudyConfig, findings: Findings, identities: Sequence[Mapping[str, Any]], history: RunHistory
) -> Findings:
    """Findings that say what a model cannot generate or does not see, and what was registered, and that correct the
    verdicts on claims for repeated looks.

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
    sections = list(findings.sections)
    if statements:
        sections.append(reporting.Section("Registration and looks", statements, name="registration"))
    if history.unsayable:
        unsayable = [_unsayable(model, *counts) for model, counts in history.unsayable.items()]
        many = any(count / names > _MANY for count, names in history.unsayable.values())
        # First if they are many, because the accuracies that follow must not be taken for those of the link.
        place = 0 if many else len(sections)
        sections.insert(place, reporting.Section("Names that a model cannot generate", unsayable, name="names"))
    if history.blind:
        seen = [_blind(model) for model in history.blind]
        sections.insert(0, reporting.Section("Images that a model does not see", seen, name="support-images"))
    return replace(findings, sections=sections, looks=history.looks)


def _blind(model: str) -> Statement:
    return reporting.Statement(
        "{model} does not see the images of supports: with noise in their place, no log-likelihood changes. What it "
        "answers cannot follow the link from images to labels.",
        model=model,
    )


def _unsayable(model: str, count: int, names: int) -> Statement:
    return reporting.Statement(
        "{model} cannot generate {count} of {names} names, so its open-ended answers about them are wrong whether or "
        "not it follows the link. `--names invented` gives every concept a short invented name.",
        {"count": count, "names": names},
        "open-ended",
        model,
    )


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
