"""What a report says about the way in which episodes of the release's datasets were chosen."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lcl_lab import reporting
from lcl_lab.studies.study_config import EpisodeConfig

if TYPE_CHECKING:
    from lcl_lab.reporting import Findings
    from lcl_lab.studies.study_config import StudyConfig

__all__ = ["protocol_note", "with_protocol_note"]

_RELEASED = ("isekai-10", "isekai-pair", "isekai:", "imagenet:")


def protocol_note(config: StudyConfig) -> str | None:
    """How the episodes of a dataset of the release are chosen; None for other datasets."""
    if not isinstance(config, EpisodeConfig) or not config.data.startswith(_RELEASED):
        return None
    if config.protocol == "release":
        return (
            f"Protocol of the release: the first {config.queries} queries of {config.data} with their own supports. "
            "K shots here are K images in total, which the release counts as K/2 shots per concept."
        )
    return (
        f"Episodes are drawn at random from the images of {config.data}. The paper's release evaluates fixed ones, as "
        "--protocol release does."
    )


def with_protocol_note(config: StudyConfig, findings: Findings) -> Findings:
    """Findings with a last section about the protocol, for datasets of the release."""
    note = protocol_note(config)
    if note is None:
        return findings
    section = reporting.Section("Protocol", [reporting.Statement("{note}", {"note": note})], name="protocol")
    return replace(findings, sections=[*findings.sections, section])
