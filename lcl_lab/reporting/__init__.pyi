from .bibliography import Reference, bibtex, references
from .figure_files import figure_archive, figure_caption, paper_figures
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
from .glossary import TERMS, terms_markdown, terms_used
from .html_page import html_document
from .latex import latex_archive, latex_files, latex_text, write_latex
from .methods_paragraph import METHODS, methods, methods_citations, methods_markdown, methods_used
from .quantities import format_duration, format_latency, format_size
from .report import (
    Part,
    findings_body,
    findings_markdown,
    findings_page,
    markdown_page,
    write_collection,
    write_report,
)
from .setting import Setting
from .tables import caption_text, claims_table, markdown_rows, table_text
from .terminal import print_claims, print_findings
from .text import (
    format_condition,
    format_detectable,
    format_estimate,
    format_interval,
    format_number,
    format_p,
    format_value,
    render,
)
from .verdicts import verdict_table

__all__ = [
    "METHODS",
    "ONE_TRAINING",
    "ONE_TRAINING_EACH",
    "TERMS",
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
    "caption_text",
    "claims_table",
    "figure_archive",
    "figure_caption",
    "findings_body",
    "findings_markdown",
    "findings_page",
    "format_condition",
    "format_detectable",
    "format_duration",
    "format_estimate",
    "format_interval",
    "format_latency",
    "format_number",
    "format_p",
    "format_size",
    "format_value",
    "holm_levels",
    "html_document",
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
    "paper_figures",
    "print_claims",
    "print_findings",
    "references",
    "render",
    "table_text",
    "terms_markdown",
    "terms_used",
    "verdict_table",
    "verdicts_after_holm",
    "write_collection",
    "write_latex",
    "write_report",
]
