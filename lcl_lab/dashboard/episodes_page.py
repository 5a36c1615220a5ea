"""Episodes: any answer with the episode that it ended, found by condition, model, outcome and text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import streamlit as st

from lcl_lab import reporting
from lcl_lab.dashboard import controls, render
from lcl_lab.dashboard.answer_controls import answer_address, select_answers, source_name
from lcl_lab.dashboard.answer_list import show_list
from lcl_lab.dashboard.answer_queries import AnswerQuery, Answers, FoundAnswer
from lcl_lab.dashboard.answer_texts import condition_text, name_text
from lcl_lab.dashboard.episode_view import show_episode
from lcl_lab.dashboard.images import warn_of_missing_datasets
from lcl_lab.dashboard.pages import Page
from lcl_lab.dashboard.run_index import RunIndex, Source
from lcl_lab.dashboard.shown_answers import answer_lines, shown_answers

__all__ = ["link", "open_episodes", "pages", "source_name", "this_page"]

_PER_PAGE = 10
_FOLLOWED = "followed"  # names the link to the episodes of a point
_FOLLOW = f"""
<script>
(function follow() {{
  const link = document.querySelector(".st-key-{_FOLLOWED} a");
  if (link) link.click();
  else setTimeout(follow, 20);  // the code of links is fetched with the first one
}})();
</script>
"""


def pages() -> list[Page]:
    """The page of episodes."""
    return [Page("Episodes", "episodes", _show, section="Answers")]


def this_page() -> st.Page:
    """The page, to switch to or to link to."""
    return st.Page(cast(Any, _show), title="Episodes", url_path="episodes")


def link(source: Source, condition: Mapping[str, Any], **more: str) -> dict[str, str]:
    """The address parameters of one model's episodes under a condition, such as that of a clicked point.

    Args:
        source: the model and its run.
        condition: values of condition columns; `model` and null values are ignored.
        **more: further parameters.
    """
    return answer_address(source, condition, **more)


def open_episodes(address: Mapping[str, str]) -> None:
    """Go from another page to the episodes behind a point of its chart, as one entry of the history.

    The page shows a link and follows it. `st.switch_page` would first add an entry for the current page with the
    parameters of the next one.

    Args:
        address: parameters of the page of episodes, from `link`.
    """
    with st.container(key=_FOLLOWED):
        st.page_link(this_page(), label="Episodes of this point", query_params=dict(address))
    st.html(_FOLLOW, unsafe_allow_javascript=True)


def _show(index: RunIndex) -> None:
    """Controls; then one episode, or a list of several."""
    query = select_answers(index)
    if query is None:
        st.info("There are no records yet.")
        return
    warn_of_missing_datasets(index.data)
    with Answers(query) as answers:
        if answers.total == 1:
            show_episode(index, query, answers)
            return
        st.caption(reporting.render("{total:,} episodes", {"total": answers.total}))
        number = controls.select_page(math.ceil(answers.total / _PER_PAGE))
        found = answers.rows((number - 1) * _PER_PAGE, _PER_PAGE)
    if not found:
        st.info("No episode matches.")
        return
    show_list(index.data, query, found, answers.conditions)
    render.show_export(_findings(query, found, answers.conditions), "episodes")


def _findings(query: AnswerQuery, found: Sequence[FoundAnswer], conditions: Sequence[str]) -> reporting.Findings:
    """A page of the list as a table to save."""
    rows = [
        {
            "query": answer.record["query_id"],
            "condition": condition_text(answer.record, conditions),
            "names": name_text(answer.record),
            **answer_lines(shown_answers(query, answer)),
        }
        for answer in found
    ]
    table = reporting.Table.from_rows("Answers", rows)
    return reporting.Findings("Episodes", [reporting.Section(query.source.run.run, tables=[table])])
