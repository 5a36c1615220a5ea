"""The command of a study."""

from __future__ import annotations

import shlex
from typing import Any

from lcl_lab import studies
from lcl_lab.commands.program import Program
from lcl_lab.studies.study import Study

__all__ = ["study_program"]


def study_program(study: Study[Any], name: str = "") -> Program[Any]:
    """The command that runs a study and prints its findings.

    Args:
        study: the study.
        name: what one types to run it; by default that of its module or file.
    """

    def run(config: Any) -> None:
        studies.run_study(study, config, verbose=True)

    return Program(name or shlex.join(study.program), study.config, run, study.doc)
