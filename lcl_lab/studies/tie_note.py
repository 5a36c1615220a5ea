"""What a report says about candidates that a model finds equally likely."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lcl_lab import analysis, reporting

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.reporting import Findings

__all__ = ["with_tie_note"]

_OF_TWO = "{model}: {rate:.1%} of its choices between two candidates are ties, which count one half."
_OF_SEVERAL = (
    "{model}: in {rate:.1%} of its choices the true name ties with other candidates; with m equally likely ones, such "
    "a choice counts 1/m."
)


def with_tie_note(findings: Findings, records: pd.DataFrame) -> Findings:
    """Findings with a last section about ties, where a model has any."""
    rates = analysis.is_tie(records).groupby(records["model"], sort=False).mean()
    template = _OF_SEVERAL if analysis.has_several_names(records) else _OF_TWO
    statements = [
        reporting.Statement(
            template,
            {"rate": float(rate)},
            "candidate",
            str(model),
        )
        for model, rate in rates[rates > 0].items()
    ]
    if not statements:
        return findings
    return replace(findings, sections=[*findings.sections, reporting.Section("Ties", statements, name="ties")])
