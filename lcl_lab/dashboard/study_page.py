"""One page per study: its findings for the selected models, seeds and metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

import streamlit as st

from lcl_lab import studies
from lcl_lab.dashboard import controls, episodes_page, render
from lcl_lab.dashboard.escape import escape_markdown
from lcl_lab.dashboard.live_runs import show_live_runs
from lcl_lab.dashboard.pages import Page
from lcl_lab.dashboard.record_loading import load_records
from lcl_lab.dashboard.run_index import RunGroup, RunIndex, Source, SourceState
from lcl_lab.dashboard.strategy_averages import averaged_section, counted, repeated_strategies
from lcl_lab.dashboard.sweep_trials import read_all_trials, trainings_by_run
from lcl_lab.errors import UserError
from lcl_lab.reporting import Findings, Section
from lcl_lab.store import FIXED
from lcl_lab.studies import Study, StudyConfig, TrainingsConfig

__all__ = ["pages", "study_findings", "study_title"]

_MOST_NAMED = 3  # of the runs that have not finished
_TITLES = {"false_ratio": "False labels", "zero_shot": "Zero-shot"}


def pages() -> list[Page]:
    """A page for every study, also for those that users have registered."""
    return [
        Page(study_title(study), study.name, partial(_show, study), section="Studies")
        for study in studies.find_studies()
    ]


def study_title(study: Study[Any]) -> str:
    """The name of a study in the menu."""
    return _TITLES.get(study.name, study.name.replace("_", " ").capitalize())


def study_findings(study: Study[Any], group: RunGroup, sources: Sequence[Source]) -> tuple[Findings, list[str]]:
    """Analyse the records of the given sources.

    Args:
        study: the study.
        group: the group that the sources are from.
        sources: the models and seeds to report; their records are pooled.

    Returns:
        The findings, and the columns that identify a point of their figures.

    Raises:
        UserError: none of the models can be reported alone, such as a reference that others are compared with.
    """
    records = load_records(sources, study.supports)
    identities = {source.run.run: source.run.config for source in sources}
    history = studies.read_history(sources[0].run.path) if len(identities) == 1 else None
    findings = study.findings(_config(study, group, sources), records, list(identities.values()), history)
    return findings, ["model", "metric", *(column for column in records.columns if column not in FIXED)]


def _show(study: Study[Any], index: RunIndex) -> None:
    """Controls, figures, statements and tables; a click on a point opens its episodes."""
    st.caption(escape_markdown(study.doc.strip().partition("\n")[0]))
    show_live_runs(index, study.name)
    groups = index.groups_of(study.name)
    if not groups:
        st.info("There is no run of this study yet. This command makes one:")
        st.code(index.command(["lcl", "study", study.name]), language="sh")
        return
    group = controls.select_group(groups)
    model_place, seed_place, metric_place = st.columns([3, 2, 2])
    strategies = repeated_strategies(group, trainings_by_run(read_all_trials(index.folder)))
    with model_place:
        models = controls.select_models(group, [counted(*strategy) for strategy in strategies.items()])
    with seed_place:
        seeds = controls.select_seeds(group)
    averaged = {name: members for name, members in strategies.items() if counted(name, members) in models}
    selected = group.select(models, seeds)
    trained = [source for source in group.select(list(chain(*averaged.values())), seeds) if source.run.finished]
    _name_unfinished(groups, [*selected, *trained])
    if not (selected or trained):
        st.info("Choose a model and a seed.")
        return
    if not controls.confirm_reading([*selected, *trained]):
        return
    analysed = _analyse(study, group, selected) if selected else None
    if analysed is None and not trained:
        return
    findings, columns, sources = analysed or (Findings(study.name, []), ["model", "metric"], trained)
    if trained:
        section = _cached_section(tuple(source.state for source in trained), averaged, trained)
        findings = replace(findings, sections=[section, *findings.sections])
    with metric_place:
        findings = _of_selected_metric(findings)
    picked = render.show_findings(findings, study.name, columns)
    notes = [f"- {source.run.run}: {source.model}, seed {source.seed}" for source in sources]
    render.show_export(findings, study.name, study.doc, ["## Runs", "", *notes, ""])
    if picked:
        first = {counted(name, members): members[0] for name, members in averaged.items()}
        model = first.get(picked.get("model", ""), picked.get("model"))
        source = next((s for s in (*sources, *trained) if s.model == model), sources[0])
        metric = {key: str(picked.pop(key)) for key in ("metric",) if key in picked}
        episodes_page.open_episodes(episodes_page.link(source, picked, **metric))


def _name_unfinished(groups: Sequence[RunGroup], selected: Sequence[Source]) -> None:
    """Name the runs that have not finished and are not selected."""
    unfinished = {source.run.run for group in groups for source in group.all_sources if not source.run.finished}
    others = sorted(unfinished - {source.run.run for source in selected}, reverse=True)
    if others:
        more = f" and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
        st.caption(f"Not finished, and not shown: {escape_markdown(', '.join(others[:_MOST_NAMED]))}{more}.")


def _of_selected_metric(findings: Findings) -> Findings:
    """Offer the metrics that the findings have data for, and keep what belongs to the selected one."""
    if not findings.metrics:
        return findings
    metric = controls.select_metric(findings.metrics, both=True)
    return findings if metric == controls.BOTH else findings.for_metric(metric)


def _analyse(
    study: Study[Any], group: RunGroup, sources: Sequence[Source]
) -> tuple[Findings, list[str], Sequence[Source]] | None:
    """The findings and the sources that they are from, or None after saying why there are none.

    Runs that have not finished are left out where their records so far cannot be analysed.
    """
    finished = [source for source in sources if source.run.finished]
    unfinished = sorted({source.run.run for source in sources if not source.run.finished})
    named = escape_markdown(", ".join(unfinished))
    try:
        findings = _cached_findings(study.name, tuple(source.state for source in sources), study, group, sources)
    except (UserError, KeyError, ValueError, IndexError) as error:
        if unfinished and finished:
            st.info(f"Left out, since its records so far are too few to analyse: {named}.")
            return _analyse(study, group, finished)
        if isinstance(error, UserError):
            st.info(escape_markdown(str(error)))
        elif not unfinished:
            raise
        if unfinished:
            st.info(f"The records so far are too few to analyse: {named}.")
        return None
    if unfinished:
        st.warning(f"Not finished, so this is what there is so far: {named}.")
    return *findings, sources


@st.cache_resource(max_entries=16, show_spinner="Reading the records …")
def _cached_section(
    state: tuple[SourceState, ...], _averaged: Mapping[str, Sequence[str]], _trained: Sequence[Source]
) -> Section:
    return averaged_section(_averaged, _trained)


@st.cache_resource(max_entries=64, show_spinner="Reading the records …")
def _cached_findings(
    name: str, state: tuple[SourceState, ...], _study: Study[Any], _group: RunGroup, _sources: Sequence[Source]
) -> tuple[Findings, list[str]]:
    return study_findings(_study, _group, _sources)


def _config(study: Study[Any], group: RunGroup, sources: Sequence[Source]) -> StudyConfig:
    """The options of the newest run, with the selected models; references of a study are not among its models."""
    options = {run: studies.stored_options(info) for run, info in {s.run.run: s.run for s in sources}.items()}
    requested = {model for source in sources for model in options[source.run.run].get("model", [source.model])}
    selected = {source.model for source in sources}
    models = tuple(model for model in group.models if model in selected and model in requested)
    if not models:
        names = ", ".join(model for model in group.models if model in requested)
        raise UserError(f"choose one of {names}; the others are there to be compared with")
    config = studies.stored_config(study, sources[0].run)
    update: dict[str, Any] = {"model": models, "seed": sources[0].seed}
    if isinstance(config, TrainingsConfig):  # each run knows the strategies of its own models
        update["strategy_of"] = {
            model: strategy
            for source in sources
            for model, strategy in options[source.run.run].get("strategy_of", {}).items()
        }
    return config.model_copy(update=update)
