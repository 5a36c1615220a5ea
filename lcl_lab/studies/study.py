"""A study: a question, the design that answers it, and what is concluded from the records."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from lcl_lab import analysis, reporting, studies
from lcl_lab.errors import UserError
from lcl_lab.studies.study_config import EpisodeConfig, StudyConfig

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.evaluation import Design
    from lcl_lab.reporting import Findings
    from lcl_lab.studies.run_history import RunHistory
    from lcl_lab.studies.runner import StudyResult

__all__ = ["Study", "Supports"]

_NAME = re.compile(r"[A-Za-z0-9._=-]+")  # it names the folder of the runs
C = TypeVar("C", bound=StudyConfig)
Supports = tuple[str, str, tuple[str, ...]]
"""Column and value of some records, and the fields that are read of each example of their supports."""


@dataclass(frozen=True)
class Study(Generic[C]):
    """One question.

    Attributes:
        name: the study's name; its runs are in the folder of this name.
        design: builds the design of a configuration; raises `UserError` where there can be none.
        analyse: turns the records of all models into findings; None reports accuracy by condition.
        config: the class of its options.
        doc: question, source, design, expected result; the lines Question, Source and Design open the report.
        reference: whether the nearest-prototype classifier is evaluated too.
        in_all: whether `lcl study all` runs it, which says what of the paper holds.
        supports: the records whose supports `analyse` reads; None where it reads none.

    Raises:
        UserError: the name cannot be that of a folder.
    """

    name: str
    design: Callable[[C], Design]
    analyse: Callable[[C, pd.DataFrame], Findings] | None = None
    config: type[C] = EpisodeConfig  # type: ignore[assignment]
    doc: str = ""
    reference: bool = True
    in_all: bool = True
    supports: Supports | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise UserError("must consist of letters, digits and ._=-", option="name", value=self.name)

    def run(
        self,
        config: C | None = None,
        *,
        verbose: bool = False,
        report: Callable[[int, int], None] | None = None,
        **options: Any,
    ) -> StudyResult:
        """Run the study, or resume it; see `lcl_lab.run_study`."""
        return studies.run_study(self, config, verbose=verbose, report=report, **options)

    def findings(
        self,
        config: C,
        records: pd.DataFrame,
        identities: Sequence[Mapping[str, Any]] = (),
        history: RunHistory | None = None,
    ) -> Findings:
        """What the records say.

        Args:
            config: the options of the study.
            records: one row per query, condition and model.
            identities: the stored configurations of the runs that the records are from, for their fingerprints.
            history: how the run came about, where the records are of one run.
        """
        complete = analysis.score_ties(analysis.complete_queries(records))
        findings = studies.with_answer_status(self._analysed(config, complete), records)
        findings = studies.with_tie_note(findings, complete)
        findings = studies.with_protocol_note(config, findings)
        if config.anytime:
            findings = studies.with_anytime_intervals(findings, complete)
        findings = studies.with_calibrated_choices(findings, complete, config.seed)
        if history:
            findings = studies.with_history(config, findings, identities, history)
        return studies.with_setting(config, findings, complete, identities)

    def _analysed(self, config: C, records: pd.DataFrame) -> Findings:
        if not studies.evaluated_models(records, config.models):
            return reporting.Findings(f"{self.name}: no answers to analyse", [])
        if self.analyse is None:
            return studies.accuracy_findings(self.name, config, records)
        findings = self.analyse(config, records)
        # Of some models there is nothing to say under a heading.
        filled = [one for one in findings.sections if one.statements or one.tables or one.figure is not None]
        return replace(findings, sections=filled)

    @property
    def program(self) -> tuple[str, ...]:
        """The command that runs it: a module of the package, or a user's file; empty for one defined in a notebook."""
        if find_spec(f"lcl_lab.studies.{self.name}"):
            return "python", "-m", f"lcl_lab.studies.{self.name}"
        script = Path(sys.argv[0])
        return ("python", str(script)) if script.suffix == ".py" and script.is_file() else ()
