"""Compare: two models, or one model in two runs, on the same queries: difference, test, flips."""

from __future__ import annotations

from typing import Any

import streamlit as st

from lcl_lab import dashboard
from lcl_lab.dashboard import controls, episodes_page, render
from lcl_lab.dashboard.escape import escape_markdown
from lcl_lab.dashboard.pages import Page
from lcl_lab.dashboard.run_index import RunIndex, Source, SourceState
from lcl_lab.errors import UserError
from lcl_lab.reporting import Findings

__all__ = ["pages"]


def pages() -> list[Page]:
    """The page of comparisons."""
    return [Page("Compare", "compare", _show, section="Answers")]


def _show(index: RunIndex) -> None:
    """Two sources, and how they differ under each condition; a click opens the queries that flip."""
    if not index.groups:
        st.info("There are no records yet.")
        return
    study_place, metric_place = st.columns(2)
    with study_place:
        study = controls.select("Study", index.studies, "study")
    group = controls.select_group(index.groups_of(study))
    names = {f"{s.model}, seed {s.seed}, {s.run.path.name}": s for s in group.all_sources}
    a_place, b_place = st.columns(2)
    with a_place:
        a = names[controls.select("A", list(names), "a")]
    same_queries = [name for name, source in names.items() if source != a and source.seed == a.seed]
    if not same_queries:
        st.info("No other model has answered the same queries, so there is nothing to compare.")
        return
    with b_place:
        b = names[controls.select("B", same_queries, "b")]
    if not controls.confirm_reading([a, b]):
        return
    try:
        findings, conditions = _cached_findings((a.state, b.state), a, b)
    except UserError as error:
        st.info(escape_markdown(f"The answers cannot be paired: {error}"))
        return
    with metric_place:
        metric = controls.select_metric(_by_coverage(findings))
    picked = render.show_findings(findings.for_metric(metric), "compare", ["condition"])
    render.show_export(findings.for_metric(metric), "compare")
    flips = episodes_page.link(a, {}, beside=episodes_page.source_name(b, a.run.run), answers="flipped", metric=metric)
    st.page_link(episodes_page.this_page(), label="The queries that flip", query_params=flips)
    if picked:
        condition = conditions.get(picked["condition"], {})
        episodes_page.open_episodes(flips | episodes_page.link(a, condition))


def _by_coverage(findings: Findings) -> list[str]:
    """The metrics, first the one that compares the most conditions: some tasks have no candidates."""
    rows = findings.sections[0].tables[0].frame["metric"].value_counts()
    return sorted(findings.metrics, key=lambda metric: -int(rows[metric]))


@st.cache_resource(max_entries=64, show_spinner="Reading the records …")
def _cached_findings(
    state: tuple[SourceState, SourceState], _a: Source, _b: Source
) -> tuple[Findings, dict[str, dict[str, Any]]]:
    records = dashboard.paired_records(_a, _b)
    return dashboard.comparison_findings(records, _a.model, _b.model), dashboard.compared_conditions(records)
