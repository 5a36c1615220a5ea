"""Overview: every model at a glance, next to what the paper printed of the same metric, on other data."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from lcl_lab import dashboard
from lcl_lab.control_characters import escape_controls
from lcl_lab.dashboard import controls, episodes_page, render
from lcl_lab.dashboard.escape import escape_markdown, show_paragraph
from lcl_lab.dashboard.live_runs import show_live_runs
from lcl_lab.dashboard.pages import Page
from lcl_lab.dashboard.run_index import RunIndex, Source, SourceState
from lcl_lab.reporting import Findings

__all__ = ["pages", "zero_shot_sources"]

_QUESTION = "Does each model follow the labels that it is shown, and what did it cost the model to learn that?"


def pages() -> list[Page]:
    """The first page."""
    return [Page("Overview", "overview", _show, default=True)]


def _show(index: RunIndex) -> None:
    """The newest answers of each model in the false-label study and in the zero-shot study."""
    if index.shipped:
        st.info("These results come with LCL Lab. Your own appear here as soon as a study has run.")
    for broken in index.broken:
        name = f"{broken.path.parent.name}/{broken.path.name}"
        st.warning(escape_markdown(escape_controls(f"{name}: {broken.reason}")))
    st.caption(_QUESTION)
    show_live_runs(index)
    groups = index.groups_of("false_ratio")
    if not groups:
        st.info("There is no run of the false-label study yet. This command makes one:")
        st.code(index.command(["lcl", "study", "false_ratio"]), language="sh")
        return
    group = controls.select_group(groups)
    model_place, metric_place = st.columns([3, 1])
    with model_place:
        models = controls.select_models(group)
    if not models:
        st.info("Choose a model.")
        return
    sources, zero_shot = group.finished(models), zero_shot_sources(index, models)
    if not sources:
        st.info("No run of this design is finished yet.")
        return
    if not controls.confirm_reading([*sources, *zero_shot]):
        return
    findings = _cached_findings(tuple(source.state for source in (*sources, *zero_shot)), sources, zero_shot)
    if findings.metrics:
        with metric_place:
            # The paper's metric comes first: its numbers and the zero-shot study are of it.
            findings = findings.for_metric(controls.select_metric(findings.metrics[::-1]))
    show_paragraph(findings.title)
    picked = render.show_findings(findings, "overview", ["model", "measure", "metric"])
    render.show_export(findings, "overview")
    if picked:
        _open_episodes(picked, sources, zero_shot)


def _open_episodes(picked: dict[str, str], sources: Sequence[Source], zero_shot: Sequence[Source]) -> None:
    """Switch to the answers behind a point that was clicked."""
    measure = picked["measure"]
    is_zero_shot = measure == dashboard.ZERO_SHOT_CHANGE
    source = next(s for s in (zero_shot if is_zero_shot else sources) if s.model == picked["model"])
    condition = {} if is_zero_shot else {"false_ratio": 1 if measure == dashboard.ALL_FALSE else 0}
    episodes_page.open_episodes(episodes_page.link(source, condition, metric=picked["metric"]))


def zero_shot_sources(index: RunIndex, models: Sequence[str]) -> list[Source]:
    """The zero-shot answers of the given models, after those of the model that they are compared with."""
    groups = index.groups_of("zero_shot")
    return groups[0].finished([groups[0].models[0], *models]) if groups else []


@st.cache_resource(max_entries=64, show_spinner="Reading the records …")
def _cached_findings(
    state: tuple[SourceState, ...], _sources: Sequence[Source], _zero_shot: Sequence[Source]
) -> Findings:
    return dashboard.overview_findings(_sources, _zero_shot)
