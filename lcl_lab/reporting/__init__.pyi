from .bibliography import Reference, bibtex, references
from .findings import (
    ONE_TRAINING,
    ONE_TRAINING_EACH,
    Claim,
    Findings,
    Section,
    Statement,
    Table,
    Verdict,
    assess,
    holm_levels,
    is_inconclusive,
    verdicts_after_holm,
)
from .latex import latex_archive, latex_files, latex_text, write_latex
from .methods_paragraph import METHODS, methods, methods_citations, methods_markdown, methods_used
from .report import Part, findings_markdown, findings_page, markdown_page, write_collection, write_report
from .setting import Setting
from .tables import claims_table, markdown_rows, table_text
from .terminal import print_claims, print_findings
from .text import format_condition, format_detectable, format_estimate, format_interval, format_p, format_value, render

__all__ = [
    "METHODS",
    "ONE_TRAINING",
    "ONE_TRAINING_EACH",
    "Claim",
    "Findings",
    "Part",
    "Reference",
    "Section",
    "Setting",
    "Statement",
    "Table",
    "Verdict",
    "assess",
    "bibtex",
    "claims_table",
    "findings_markdown",
    "findings_page",
    "format_condition",
    "format_detectable",
    "format_estimate",
    "format_interval",
    "format_p",
    "format_value",
    "holm_levels",
    "is_inconclusive",
    "latex_archive",
    "latex_files",
    "latex_text",
    "markdown_page",
    "markdown_rows",
    "methods",
    "methods_citations",
    "methods_markdown",
    "methods_used",
    "print_claims",
    "print_findings",
    "references",
    "render",
    "table_text",
    "verdicts_after_holm",
    "write_collection",
    "write_latex",
    "write_report",
]
