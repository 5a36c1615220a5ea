"""One episode on one screen: its support, the query next to it, and the answers of several models in columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import streamlit as st

from lcl_lab import reporting
from lcl_lab.dashboard import controls, render
from lcl_lab.dashboard.answer_queries import AnswerQuery, Answers, FoundAnswer
from lcl_lab.dashboard.answer_texts import condition_text, name_text, shortened
from lcl_lab.dashboard.escape import escape_markdown
from lcl_lab.dashboard.images import record_picture, show_image
from lcl_lab.dashboard.run_index import RunIndex
from lcl_lab.dashboard.shown_answers import CELL, ShownAnswer, answer_lines, answer_table, permanent_link, shown_answers
from lcl_lab.dashboard.support_sheet import find_nearest, show_attention, show_support
from lcl_lab.dashboard.token_strips import STRIP_MEANING, STRIP_STYLE, token_strips

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["show_episode"]

_QUERY_SIDE = 96  # pixels of an image
_CANDIDATES = 4  # that are shown without being asked for
_STYLE = """<style>
.stMainBlockContainer { padding-top: 2.5rem; padding-bottom: 1rem }
.st-key-episode td, .st-key-episode th { padding: 2px 8px !important; min-width: 5.5rem }
.st-key-support .stImage p { font-size: 0.75rem; line-height: 1.4 }
.st-key-support .stMarkdownColoredBackground { outline: 1px solid #D55E00 }
.stImage:has(img[style*="object-fit"]), .stImage:has(img[style*="object-fit"]) > div { width: min(85vw, 85vh) }
</style>"""
"""Fits an episode on a screen; and an image that is shown in full screen fills it, however small it is."""


def show_episode(index: RunIndex, query: AnswerQuery, answers: Answers) -> None:
    """Show the only answer that a query finds, with the way to the ones before and after it.

    Args:
        index: the results.
        query: what was asked for.
        answers: what it found.
    """
    (found,) = answers.rows(0, 1)
    record, shown = found.record, shown_answers(query, found)
    title = f"Query {record['query_id']}: {name_text(record)}"
    place = [f"pair {record['pair']}", record["data"], f"support {record['support_id']}"]
    origin = "; ".join(filter(None, [condition_text(record, answers.conditions), *place]))
    st.html(_STYLE)
    with st.container(key="episode", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            st.subheader(escape_markdown(title), anchor=False)
            if query.query is not None:
                _show_steps(answers, found)
        st.caption(escape_markdown(origin))
        support_place, answer_place = st.columns(2)
        with support_place:
            show_support(index.data, record["support"] or [], find_nearest(query.source.run, record))
        with answer_place, st.container(gap="xsmall"):
            with st.container(horizontal=True, gap="small"):
                show_image(index.data, record["query_image"], _QUERY_SIDE)
                st.text(record["question"], width="stretch")
            _show_answers(shown, _record_links(query, shown, answers.conditions))
        _show_tokens(shown)
        show_attention(index, record)
        with st.container(horizontal=True, vertical_alignment="center"):
            _show_links(query, found, answers.conditions)
            lines = [origin, *(f"{name}: {text}" for name, text in answer_lines(shown).items())]
            statements = [reporting.Statement("{line}", {"line": line}) for line in lines]
            picture = record_picture(record, index.data)
            section = reporting.Section(query.source.run.run, statements, picture, "episode")
            render.show_export(reporting.Findings(title, [section]), "episode")


def _show_steps(answers: Answers, found: FoundAnswer) -> None:
    """Buttons to the answers before and after this one, which are also on the arrow keys."""
    around = answers.around(found)
    st.caption(reporting.render("{number:,} of {total:,}", {"number": around.number, "total": around.total}))
    for label, number, key in (("Previous", around.previous, "Left"), ("Next", around.next, "Right")):
        address = {**controls.current_address(), "query": [str(number)]}
        st.button(label, disabled=number is None, shortcut=key, on_click=controls.go_to, args=(address,))


def _show_answers(answers: Sequence[ShownAnswer], links: Mapping[str, str]) -> None:
    """The answers in columns, what their rows mean, and on request all that the table leaves out.

    Args:
        answers: at least one.
        links: the address of each one's record, by its name.
    """
    _show_table(answer_table(answers, _CANDIDATES), links)
    rules = dict.fromkeys(verdict.rule for answer in answers for verdict in answer.verdicts.values())
    meanings = [f"✓ {rule.name}: {rule.meaning}" for rule in rules]
    if any("candidate" in answer.verdicts for answer in answers):
        meanings.append("names: log-likelihood in nats, in total and per token")
    st.caption(escape_markdown("; ".join(meanings)))
    count = max(len(answer.record["other_names"] or [""]) + 1 for answer in answers if answer.record)
    if count > _CANDIDATES:
        with st.popover(reporting.render("All {count} candidates", {"count": count})):
            _show_table(answer_table(answers), links)
    for answer in answers:
        texts = {kind: answer.record[kind] for kind in ("answer", "thinking")} if answer.record else {}
        for kind, text in texts.items():
            if text and (kind == "thinking" or shortened(text, CELL) != text):
                with st.popover(escape_markdown(_size(answer.name, kind, text))):
                    st.text(text)


def _show_tokens(answers: Sequence[ShownAnswer]) -> None:
    """How likely each token of the candidates is, for the models that say so."""
    strips = token_strips({answer.name: answer.record for answer in answers if answer.record}, _CANDIDATES)
    if strips:
        st.caption(STRIP_MEANING)
        st.html(f"<style>{STRIP_STYLE}</style>{strips}")


def _show_table(table: pd.DataFrame, links: Mapping[str, str]) -> None:
    """A table whose column names are links where there are any, so that a keyboard reaches all of a wide one."""
    escaped = {str(name): escape_markdown(str(name)) for name in table}
    headers = {name: f"[{text}]({links[name]})" if name in links else text for name, text in escaped.items()}
    st.table(table.map(escape_markdown).rename(index=escape_markdown, columns=headers), border="horizontal")


def _size(name: str, kind: str, text: str) -> str:
    return reporting.render(
        "Whole {kind} of {name}, {count:,} characters", {"kind": kind, "name": name, "count": len(text)}
    )


def _show_links(query: AnswerQuery, found: FoundAnswer, conditions: Sequence[str]) -> None:
    address = permanent_link(query, found.record, conditions)
    st.link_button("Permanent link to this episode", _url(address), type="tertiary")
    condition = {key: value for key, value in address.items() if key != "query"}
    st.button("All episodes of this condition", type="tertiary", on_click=controls.go_to, args=(condition,))


def _record_links(query: AnswerQuery, answers: Sequence[ShownAnswer], conditions: Sequence[str]) -> dict[str, str]:
    """The address of each answer alone, by its name."""
    return {
        answer.name: _url(permanent_link(replace(query, source=answer.source, others=()), answer.record, conditions))
        for answer in answers
        if answer.record
    }


def _url(address: Mapping[str, Any]) -> str:
    return f"?{urlencode(address, doseq=True)}"
