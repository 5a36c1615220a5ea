"""Text of records on a page: never markup, whatever a stranger wrote."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

import streamlit as st

__all__ = ["plain", "title_of", "words"]

_TITLES = {"false_ratio": "False labels", "zero_shot": "Zero-shot"}


def title_of(study: str) -> str:
    """The name of a study as a heading."""
    return _TITLES.get(study, study.replace("_", " ").capitalize())


def words(sentences: Sequence[str]) -> None:
    """Sentences with **bold** in them; whatever else is in them is text, since records may have any."""
    escaped = (re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", html.escape(sentence)) for sentence in sentences)
    if sentences:
        st.html(f"<ul>{''.join(f'<li>{sentence}</li>' for sentence in escaped)}</ul>")


def plain(text: str) -> str:
    """Text for a place where Streamlit reads Markdown, such as headings and labels: nothing in it is markup."""
    return re.sub(r"([\\`*_{}\[\]()#+.!<>|~$:&^=-])", r"\\\1", text).replace("\\:material", "\\: material")
