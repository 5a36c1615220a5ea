"""The section of a report about answers that are not known or were cut off."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from lcl_lab import analysis, reporting

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.analysis import AnswerStatus
    from lcl_lab.reporting import Findings, Statement

__all__ = ["with_answer_status"]

_MUCH = 0.05  # share of missing answers above which the report begins with them


def with_answer_status(findings: Findings, records: pd.DataFrame) -> Findings:
    """Findings with a section about missing answers, which comes first if there are many, and about cut-off ones."""
    statuses = analysis.answer_status(records)
    statements = [statement for status in statuses for statement in _statements(status)]
    if not statements:
        return findings
    section = reporting.Section("Answers that are missing or cut off", statements, name="answer-status")
    much = any(status.missing_rate > _MUCH for status in statuses)
    sections = [section, *findings.sections] if much else [*findings.sections, section]
    return replace(findings, sections=sections)


def _statements(status: AnswerStatus) -> Iterator[Statement]:
    if status.missing:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(status.missing.items()))
        yield reporting.Statement(
            "{model}: {missing} of {n} answers ({rate:.1%}) are missing and left out with their queries: {kinds}. "
            "Open-ended accuracy over all conditions would be {lowest:.3f} with all of them wrong and {highest:.3f} "
            "with all of them right.",
            {
                "missing": sum(status.missing.values()),
                "n": status.n,
                "rate": status.missing_rate,
                "kinds": kinds,
                "lowest": status.lowest,
                "highest": status.highest,
            },
            model=status.model,
        )
    if status.cut_off_rate > _MUCH:
        yield reporting.Statement(
            "{model}: {cut_off} of {n} answers ({rate:.1%}) were cut off and are graded as far as they go; "
            "`--max-new-tokens` allows longer ones.",
            {"cut_off": status.cut_off, "n": status.n, "rate": status.cut_off_rate},
            model=status.model,
        )
