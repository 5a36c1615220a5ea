"""Text from records on a page: never markup, whatever a record contains."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

import streamlit as st
from markdown_it import MarkdownIt

from lcl_lab.control_characters import remove_controls
from lcl_lab.reporting import Statement

__all__ = ["escape_html", "escape_markdown", "show_paragraph", "show_statements"]

_WORD_JOINER = "\u2060"
_READ_ANYWAY = re.compile(r"\\:(?=//|material)|www(?=\\\.)|@", re.IGNORECASE)
_BOLD_AND_CODE = MarkdownIt("zero").enable(["emphasis", "backticks"])  # escapes all else: links, images, HTML


def show_statements(statements: Sequence[Statement]) -> None:
    """Show statements as a list. Their **bold** and `code` are kept; each item carries its metric in `data-metric`."""
    items = [
        f'<li data-metric="{statement.metric or ""}">{_BOLD_AND_CODE.renderInline(statement.text)}</li>'
        for statement in statements
    ]
    if items:
        st.html(f"<ul>{''.join(items)}</ul>")


def show_paragraph(text: str) -> None:
    """Show a paragraph whose names may come from records, without any markup but **bold** and `code`."""
    st.html(f"<p>{_BOLD_AND_CODE.renderInline(text)}</p>")


def escape_html(text: object) -> str:
    """Text for a place where HTML is expected, so that it is shown as it is."""
    return html.escape(remove_controls(str(text)))


def escape_markdown(text: str) -> str:
    """Text for a place where Streamlit reads Markdown, such as headings and labels, so that it is shown as it is.

    Addresses become links, and names of icons icons, even where all punctuation is escaped; an invisible character
    within them prevents it.
    """
    escaped = re.sub(r"([\\`*_{}\[\]()#+.!<>|~$:&^=-])", r"\\\1", text)
    return _READ_ANYWAY.sub(rf"\g<0>{_WORD_JOINER}", escaped)
