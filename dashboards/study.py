"""A page a study: its findings for the models, data, metric and seeds that are chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st
from pydantic import ValidationError

from dashboards import choose, episodes, show
from dashboards.results import Design, Source, State, lab, options_of, records_of
from dashboards.text import plain
from lcl_lab.errors import UserError
from lcl_lab.store import FIXED
from lcl_lab.studies import Findings, Study, StudyConfig

__all__ = ["page"]


def page(study: Study[Any]) -> None:
    """Controls, figures, the statistics in words, tables; a click on a point opens its episodes."""
    st.caption(plain(study.doc.strip().splitlines()[0]))
    designs = lab().of(study.name)
    if not designs:
        st.info("There is no run of this study yet. This makes one:")
        st.code(" ".join(study.program), language="sh")
        return
    design = choose.design(designs)
    places = st.columns([3, 2, 2])
    with places[0]:
        models = choose.models(design)
    with places[1]:
        seeds = choose.seeds(design)
    with places[2]:
        metric = choose.metric(both=True)
    sources = design.chosen(models, seeds)
    if not sources:
        st.info("Choose a model and a seed.")
        return
    if not choose.willing(sources):
        return
    unfinished = sorted({source.run.run for source in sources if not source.run.finished})
    for run in unfinished:
        st.warning(f"{plain(run)} is not finished: this is what it has so far.")
    try:
        found, columns = _found(study.name, tuple(source.state for source in sources), study, design, sources)
    except UserError as error:
        st.info(plain(str(error)))
        return
    except (KeyError, ValueError, IndexError):
        if not unfinished:
            raise
        st.info("There is too little to say anything yet.")
        return
    if metric != "both":
        found = show.of_metric(found, metric)
    picked = show.findings(found, study.name, columns)
    notes = [f"- {source.run.run}: {source.model}, seed {source.seed}" for source in sources]
    show.export(found, study.name, study.doc, ["## Runs", "", *notes, ""])
    if picked:
        source = next((s for s in sources if s.model == picked.get("model")), sources[0])
        st.switch_page(episodes.this_page(), query_params=episodes.link(source, picked))


@st.cache_resource(max_entries=64, show_spinner="Reading the records …")
def _found(
    name: str,
    state: State,
    _study: Study[Any],
    _design: Design,
    _sources: Sequence[Source],
) -> tuple[Findings, list[str]]:
    """The findings, and the columns that tell the points of its figures apart."""
    records = records_of(_sources, _study.supports)
    found = _study.find(_config(_study, _design, _sources), records)
    return found, ["model", "metric", *(column for column in records.columns if column not in FIXED)]


def _config(study: Study[Any], design: Design, sources: Sequence[Source]) -> StudyConfig:
    """The options of the newest run with the models that are chosen; the reference is none that was asked for."""
    options = options_of(sources[0].run)
    asked = {model for source in sources for model in options_of(source.run).get("model", [source.model])}
    chosen = tuple(model for model in design.models if model in {s.model for s in sources} and model in asked)
    if not chosen:
        names = ", ".join(model for model in design.models if model in asked)
        raise UserError(f"choose one of {names}; the others are there to be compared with")
    try:
        config: StudyConfig = study.config.model_validate(options or study.presets["default"])
    except ValidationError:  # of another version, or changed by hand
        config = study.config.model_validate(study.presets["default"])
    return config.model_copy(update={"model": chosen, "seed": sources[0].seed})
