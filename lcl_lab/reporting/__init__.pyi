from .findings import MAIN_METRICS, Claim, Findings, Section, Statement, Table, Verdict, assess
from .report import Part, findings_markdown, findings_page, write_collection, write_report
from .tables import claims_table, markdown_rows, table_text
from .terminal import print_claims, print_findings
from .text import format_condition, format_estimate, format_interval, format_p, format_value, render

__all__ = [
    "MAIN_METRICS",
    "Claim",
    "Findings",
    "Part",
    "Section",
    "Statement",
    "Table",
    "Verdict",
    "assess",
    "claims_table",
    "findings_markdown",
    "findings_page",
    "format_condition",
    "format_estimate",
    "format_interval",
    "format_p",
    "format_value",
    "markdown_rows",
    "print_claims",
    "print_findings",
    "render",
    "table_text",
    "write_collection",
    "write_report",
]
