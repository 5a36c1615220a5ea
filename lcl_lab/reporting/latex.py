"""Findings for a paper: tables, methods, bibliography and figures in LaTeX, and a document that shows them."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
from pylatexenc.latexencode import UnicodeToLatexEncoder

from lcl_lab.atomic import write_atomic
from lcl_lab.control_characters import remove_controls
from lcl_lab.errors import UserError
from lcl_lab.figures.panels import Figure
from lcl_lab.reporting.bibliography import bibtex, split_citations
from lcl_lab.reporting.figure_files import figure_caption, paper_figures
from lcl_lab.reporting.findings import Findings, Section
from lcl_lab.reporting.methods_paragraph import methods, methods_citations
from lcl_lab.reporting.tables import caption_text, claims_table, table_text
from lcl_lab.reporting.zip_archive import zip_archive

__all__ = ["latex_archive", "latex_files", "latex_text", "write_latex"]

_TEXTS = (".tex", ".bib")
_ENCODER = UnicodeToLatexEncoder(unknown_char_policy="keep", unknown_char_warning=False)
_MARKED = re.compile(r"\*\*(?P<bold>.+?)\*\*|`(?P<code>[^`]+)`")
_NEGATIVE = re.compile(r"(?<![\w.-])-(?=\d)")  # the sign of a number
_LONG = 40  # letters of a cell that is broken into lines, and rows of a table that is broken over pages
_WIDEST = 90  # letters of a cell that count for the width of its column
_COLUMNS = 6  # of numbers next to each other
_LINE = 76  # letters of a line, with which the spaces between columns are wide enough
_NATURAL_OR_FULL = r"\ifdim\width>\linewidth\linewidth\else\width\fi"
_DOCUMENT = r"""% Compile: pdflatex report, bibtex report, pdflatex report (twice). A basic TeX distribution suffices.
% Names in scripts that pdflatex does not know need xelatex or lualatex, and a font that has them.
\documentclass{article}
\usepackage{iftex}
\ifpdftex\usepackage[T1]{fontenc}\usepackage[utf8]{inputenc}\else\usepackage{fontspec}\fi
\usepackage{booktabs,graphicx,longtable,textcomp}
\usepackage[round]{natbib}
\title{TITLE}
\author{}
\begin{document}
\maketitle
\sloppy
SECTIONS
\section*{Methods}
\input{methods}
\clearpage
\input{tables}
BIBLIOGRAPHY\end{document}
"""
_BIBLIOGRAPHY = "\\bibliographystyle{plainnat}\n\\bibliography{references}\n"


def write_latex(folder: Path, findings: Findings) -> list[Path]:
    """Write the files of `latex_files` into a folder, which is created if needed.

    Texts that are there with other content are never overwritten, since they may be edited. Figures are.

    Args:
        folder: the folder.
        findings: what to write.

    Returns:
        The paths of the files.

    Raises:
        UserError: the folder has a text of the same name with other content, or cannot be written.
    """
    files = latex_files(findings)
    if folder.exists() and not folder.is_dir():
        raise UserError("is a file; give a folder", option="latex", value=folder)
    for name, content in files.items():
        path = folder / name
        if path.suffix in _TEXTS and path.exists() and path.read_bytes() != content:
            reason = f"its {name} differs from the new one and may be edited; choose another folder, or remove it"
            raise UserError(reason, option="latex", value=folder)
    for name, content in files.items():
        write_atomic(folder / name, content)
    return [folder / name for name in files]


def latex_archive(findings: Findings) -> bytes:
    """The files of `latex_files` as the content of a ZIP file."""
    return zip_archive(latex_files(findings))


def latex_files(findings: Findings) -> dict[str, bytes]:
    """Findings as the files of a LaTeX document.

    `tables.tex` has all tables with captions and labels, `methods.tex` the methods paragraph, `references.bib` the
    references that it cites, and `report.tex` is a document that shows them with the statements and figures. Charts are
    the files of `paper_figures`, for one column and for two; pictures are PNG files. A paper can use each part alone;
    the tables need booktabs, graphicx and longtable, the methods natbib.

    Args:
        findings: what to write.

    Returns:
        The content of each file by its name.
    """
    cited = methods_citations(findings)
    paragraph = " ".join(latex_text(sentence.text) for sentence in methods(findings))
    document = (
        _DOCUMENT.replace("TITLE", latex_text(findings.title))
        .replace("SECTIONS", "\n".join(line for section in findings.sections for line in _section(section)))
        .replace("BIBLIOGRAPHY", _BIBLIOGRAPHY if cited else "")
    )
    texts = {
        "report.tex": document,
        "tables.tex": "\n".join(_tables(findings)),
        "methods.tex": f"{paragraph}\n",
        "references.bib": bibtex(cited),
    }
    return {name: text.encode() for name, text in texts.items()} | dict(_pictures(findings))


def latex_text(text: str) -> str:
    """A text of a report in LaTeX: its **bold**, `code` and citations as commands, everything else escaped.

    Characters without a LaTeX command, such as those of other scripts, stay as they are.
    """
    latex = "".join(rf"\citep{{{','.join(keys)}}}" if keys else _marked(part) for part, keys in split_citations(text))
    # After \item and at the beginning of a row, these would be read as part of the command.
    return f"{{}}{latex}" if latex.startswith(("[", "*")) else latex


def _marked(text: str) -> str:
    parts, end = [], 0
    for match in _MARKED.finditer(text):
        command = "textbf" if match["bold"] else "texttt"
        parts += [_escaped(text[end : match.start()]), rf"\{command}{{{_escaped(match['bold'] or match['code'])}}}"]
        end = match.end()
    return "".join([*parts, _escaped(text[end:])])


def _escaped(text: str) -> str:
    text = _NEGATIVE.sub("−", remove_controls(text))
    return str(_ENCODER.unicode_to_latex(re.sub(r"\s+", " ", text)))


def _section(section: Section) -> Iterator[str]:
    """Heading, figure and statements; nothing of a section that has only tables."""
    if section.figure is None and not section.statements:
        return
    yield rf"\section*{{{latex_text(section.heading)}}}"
    if section.figure is not None:
        is_chart = isinstance(section.figure, Figure)
        name = f"{section.name}-wide.pdf" if is_chart else f"{section.name}.png"
        caption = rf"\\ \small {latex_text(figure_caption(section))}" if is_chart else ""
        yield rf"\begin{{center}}\includegraphics[width=\linewidth]{{{name}}}{caption}\end{{center}}"
    if section.statements:
        items = [rf"\item {latex_text(statement.text)}" for statement in section.statements]
        yield "\n".join([r"\begin{itemize}", *items, r"\end{itemize}"])


def _pictures(findings: Findings) -> Iterator[tuple[str, bytes]]:
    for section in findings.sections:
        yield from paper_figures(section).items()
        if section.figure is not None and not isinstance(section.figure, Figure):
            content = io.BytesIO()
            section.figure.save(content, format="png")
            yield f"{section.name}.png", content.getvalue()


def _tables(findings: Findings) -> Iterator[str]:
    for section in findings.sections:
        for number, table in enumerate(section.tables, start=1):
            yield _table(table_text(table), caption_text(table), f"{_slug(section.heading)}-{number}")
    if findings.claims:
        yield _table(claims_table(findings.claims, findings.looks), "Compared with the paper", "claims")


def _table(rows: pd.DataFrame, caption: str, label: str) -> str:
    """One table in the style of booktabs; one of many rows is broken over pages, a wide one is scaled to the line."""
    widths = [max(map(len, map(str, (name, *rows[name])))) for name in rows.columns]
    in_lines = max(widths, default=0) > _LONG
    columns = _broken(widths) if in_lines else "".join("l" if _is_name(rows[name]) else "r" for name in rows.columns)
    text = rows.astype(str).map(latex_text).rename(columns=latex_text)
    if len(rows) > _LONG:
        long = text.style.hide(axis="index").to_latex(
            hrules=True,
            column_format=columns,
            caption=latex_text(caption),
            label=f"tab:{label}",
            environment="longtable",
        )
        return f"{{\\small\n{long}}}\n"
    body = _tabular(text, columns) if in_lines else "\n\n\\medskip\n".join(_scaled(text, columns))
    lines = [
        r"\begin{table}[htbp]",
        r"\centering\small",
        rf"\caption{{{latex_text(caption)}}}",
        rf"\label{{tab:{label}}}",
    ]
    return "\n".join([*lines, body, r"\end{table}", ""])


def _tabular(text: pd.DataFrame, columns: str) -> str:
    return str(text.style.hide(axis="index").to_latex(hrules=True, column_format=columns)).strip()


def _scaled(text: pd.DataFrame, columns: str) -> Iterator[str]:
    """The parts of a table, each with the columns of names and some others, none wider than a line."""
    names = len(columns) - len(columns.lstrip("l"))
    for start in range(names, max(len(columns), names + 1), _COLUMNS):
        part = [*range(names), *range(start, min(start + _COLUMNS, len(columns)))]
        body = _tabular(text.iloc[:, part], "".join(columns[k] for k in part))
        yield f"\\resizebox{{{_NATURAL_OR_FULL}}}{{!}}{{%\n{body}}}"


def _broken(widths: Sequence[int]) -> str:
    """The columns of a table with long cells, which share what short ones leave of the line, as paragraphs."""
    left = max(0.4, 1 - sum(width + 2 for width in widths if width <= _LONG) / _LINE)
    long = [min(_WIDEST, width) for width in widths if width > _LONG]
    return "".join(
        "l" if width <= _LONG else rf"p{{{(left * min(_WIDEST, width) / sum(long)) - 0.02:.3f}\linewidth}}"
        for width in widths
    )


def _is_name(column: pd.Series) -> bool:
    """Whether the cells of a column are words, which are set flush left, and not numbers."""
    return not any(re.match(r"[+-−<]?\s*\d|p [=<]", str(cell)) for cell in column)


def _slug(heading: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")
