"""The commands of studies."""

from __future__ import annotations

import shlex
from typing import Any

from lcl_lab import studies
from lcl_lab.commands.program import Program
from lcl_lab.studies import all as all_studies
from lcl_lab.studies.all import AllConfig
from lcl_lab.studies.study import Study

__all__ = ["all_studies_program", "study_program"]


def study_program(study: Study[Any], name: str = "") -> Program[Any]:
    """The command that runs a study and prints its findings.

    Args:
        study: the study.
        name: what one types to run it; by default that of its module or file.
    """

    def run(config: Any) -> None:
        studies.run_study(study, config, verbose=True)

    return Program(name or shlex.join(study.program), study.config, run, study.doc)


def all_studies_program(name: str = "python -m lcl_lab.studies.all") -> Program[AllConfig]:
    """The command that runs every study and prints the paper's claims."""

    def run(config: AllConfig) -> None:
        all_studies.run_all(config, verbose=True)

    return Program(name, AllConfig, run, all_studies.__doc__ or "")
