"""A page of found answers as a list: each with its image, condition, names, and the answer of every model."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from lcl_lab.dashboard import controls
from lcl_lab.dashboard.answer_controls import list_address
from lcl_lab.dashboard.answer_queries import AnswerQuery, FoundAnswer
from lcl_lab.dashboard.answer_texts import condition_text, latency_text, margin_text, name_text, shortened
from lcl_lab.dashboard.escape import escape_markdown
from lcl_lab.dashboard.images import show_image
from lcl_lab.dashboard.shown_answers import ShownAnswer, permanent_link, shown_answers

__all__ = ["show_list"]

_SIDE = 72  # pixels of an image
_LINE = 300  # characters of an answer


def show_list(
    allowed: tuple[str, ...], query: AnswerQuery, found: Sequence[FoundAnswer], conditions: Sequence[str]
) -> None:
    """Show answers, each with a button that opens its episode.

    Args:
        allowed: datasets whose images may be shown in addition to the embedded ones.
        query: what was asked for.
        found: the answers of one page.
        conditions: the condition columns of the records.
    """
    for answer in found:
        with st.container(border=True, horizontal=True, gap="small"):
            show_image(allowed, answer.record["query_image"], _SIDE)
            with st.container(width="stretch", gap="xxsmall"):
                condition = condition_text(answer.record, conditions)
                st.caption(escape_markdown(f"query {answer.record['query_id']}: {condition}"))
                st.text(name_text(answer.record))
                for shown in shown_answers(query, answer):
                    _show_answer(shown, query.metric)
            address = {**list_address(), **permanent_link(query, answer.record, conditions)}
            st.button("Open", f"open {address}", type="tertiary", on_click=controls.go_to, args=(address,))


def _show_answer(answer: ShownAnswer, metric: str) -> None:
    """A model's answer on one line, and below it the verdict with its rule, margin and time."""
    if answer.record is None:
        st.caption(escape_markdown(" · ".join([answer.name, *answer.notes])))
        return
    st.text(f"{answer.name}: {shortened(answer.record['answer'], _LINE)}")
    verdict = answer.verdicts.get(metric) or next(iter(answer.verdicts.values()), None)
    margin = margin_text(answer.record)
    parts = [verdict.text if verdict else "no verdict", *answer.notes]
    parts += [f"margin {margin} per token"] if margin else []
    st.caption(escape_markdown(" · ".join([*parts, latency_text(answer.record)])))
