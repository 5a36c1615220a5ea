"""The command that reports a stored run again."""

from __future__ import annotations

from lcl_lab import reporting, studies
from lcl_lab.commands.program import Program
from lcl_lab.safe_console import SafeConsole
from lcl_lab.studies.stored_run import ReportConfig

__all__ = ["report_program"]

_ABOUT = """Report a stored run with the analysis of this version, without evaluating anything.

With --latex, a folder gets what a paper needs: tables.tex, methods.tex, references.bib, the figures as PDF and SVG
files 3.3 and 6.9 inches wide with their captions, and report.tex, a document that shows them. Texts that are there with
other content are never overwritten.
"""


def report_program(name: str = "lcl report") -> Program[ReportConfig]:
    """The command that prints the findings of a stored run, and the path of the folder that it writes."""
    return Program(name, ReportConfig, _run, _ABOUT)


def _run(config: ReportConfig) -> None:
    result = studies.read_result(config.run)
    console = SafeConsole()
    reporting.print_findings(console, result.findings)
    path = result.path if config.latex is None else result.to_latex(config.latex)
    console.print(str(path), soft_wrap=True, highlight=False, markup=False)
