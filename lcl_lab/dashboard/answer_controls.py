"""The controls of the page of episodes: what to find, under which conditions, and in which order."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from lcl_lab import analysis
from lcl_lab.dashboard import controls
from lcl_lab.dashboard.answer_choices import address_value, condition_values, metrics_of
from lcl_lab.dashboard.answer_queries import ORDERS, OUTCOMES, AnswerQuery
from lcl_lab.dashboard.escape import escape_markdown
from lcl_lab.dashboard.run_index import RunIndex, Source

__all__ = ["answer_address", "list_address", "select_answers", "source_label", "source_name"]

_ANY = "any"
_CONTROLS_PER_ROW = 5
_MAX_OTHERS = 7  # models next to the first
_COMPARING = ("flipped", "disagreement")
_LIST = ("answers", "find", "pair", "sort", "true_name")
"""Parameters of a list that are not those of its conditions."""
_PARAMETERS = frozenset(
    "a all answers at b beside by embed embed_options find metric model models none page point query run seeds side "
    "sort study sweep trial view".split()
)
"""Parameters of the address of any page that control something else, and keys that Streamlit does not take."""
_PREFIX = "condition_"


def select_answers(index: RunIndex) -> AnswerQuery | None:
    """What the controls of the page, and so its address, ask for; None where there are no records."""
    sources = {(s.run.run, s.model): s for group in index.groups for s in group.all_sources}
    if not sources:
        return None
    run_place, model_place, other_place, metric_place = st.columns([5, 3, 5, 3])
    with run_place:
        run = controls.select_run(list(dict.fromkeys(run for run, _ in sources)), index.labels)
    with model_place:
        model = controls.select("Model", [model for other_run, model in sources if other_run == run], "model")
    source = sources[run, model]
    with other_place:
        others = _select_others(source, list(sources.values()))
    with metric_place:
        metric = controls.select_metric(_metrics([source, *others]), key="metric")
    with st.expander("Find and filter", expanded="query" not in st.query_params):
        return _select_filters(source, others, metric)


def answer_address(source: Source, condition: Mapping[str, Any], **more: str | list[str]) -> dict[str, Any]:
    """The address parameters of one model's episodes under a condition.

    Args:
        source: the model and its run.
        condition: values of condition columns; `model` and null values are ignored.
        **more: further parameters.
    """
    values = {
        _parameter(key): address_value(value)
        for key, value in condition.items()
        if key != "model" and value is not None
    }
    return {"run": source.run.run, "model": source.model, **values, **more}


def list_address() -> dict[str, list[str]]:
    """The parameters of the current address that say what the list contains in addition to its conditions."""
    return {key: values for key, values in controls.current_address().items() if key in _LIST}


def source_name(source: Source, run: str) -> str:
    """The name of a source in the address, next to one of a run: its model, and its run if that is another."""
    return source.model if source.run.run == run else f"{source.model} in {source.run.run}"


def source_label(source: Source, first: Source) -> str:
    """A short name of a source next to a first one: its model, and when its run was started if that is another.

    No two runs of a study were started at the same time.
    """
    started = source.run.path.name.rpartition("-")[0]
    return source.model if source.run == first.run else f"{source.model}, {started}"


def _select_others(source: Source, sources: Sequence[Source]) -> tuple[Source, ...]:
    """Further models and runs of the same study and seed, which answered the same queries."""
    others = {
        source_name(other, source.run.run): other
        for other in sources
        if (other.run.study, other.seed) == (source.run.study, source.seed) and other != source
    }
    help = "other models and runs of the study, next to this one on the same queries"
    # "beside" stays the name of this parameter, so that links from earlier versions open the same view.
    labels = {name: source_label(other, source) for name, other in others.items()}
    names = controls.select_several("Compare with", labels, "beside", _MAX_OTHERS, help)
    return tuple(others[name] for name in names)


def _metrics(sources: Sequence[Source]) -> list[str]:
    """The metrics that all sources have answers for; open-ended ones always exist."""
    metrics = list(analysis.MAIN_METRICS)
    for source in sources:
        metrics = metrics_of(source.state, source, metrics)
    return metrics or ["open-ended"]


def _select_filters(source: Source, others: tuple[Source, ...], metric: str) -> AnswerQuery:
    choices = condition_values(source.state, source)
    rows = math.ceil((len(choices) + 4) / _CONTROLS_PER_ROW)
    places = iter([place for _ in range(rows) for place in st.columns(_CONTROLS_PER_ROW)])
    with next(places):
        help = 'Words that the answer or a name contains; "in quotation marks" as a phrase.'
        text = controls.enter_text("Find", "find", "in answers and names", help)
    with next(places):
        outcome = controls.select("Answers", _offered(list(OUTCOMES), others), "answers")
    with next(places):
        order = controls.select("Sort by", _offered(_orders(source), others), "sort")
    with next(places):
        number = _select_number()
    where = {}
    for column, values in choices.items():
        with next(places):
            label = escape_markdown(column.replace("_", " ").capitalize())
            selected = controls.select(label, [_ANY, *values], _parameter(column))
        if selected != _ANY:
            where[column] = selected
    return AnswerQuery(source, others, metric, where, outcome, number, text, order)


def _offered(options: Sequence[str], others: Sequence[Source]) -> list[str]:
    """The options without those that compare models, where there is only one."""
    return [option for option in options if others or option not in _COMPARING]


def _orders(source: Source) -> list[str]:
    """The orders that there is data for."""
    has_candidates = "candidate" in metrics_of(source.state, source, list(analysis.MAIN_METRICS))
    return [order for order in ORDERS if has_candidates or "margin" not in order]


def _select_number() -> int | None:
    text = controls.enter_text("Query", "query", "its number")
    number = controls.whole_number(text)
    if text and number is None:
        st.warning(f"Query {escape_markdown(text)}: must be a number, 0 or more.")
    return number


def _parameter(column: str) -> str:
    """The parameter of the address for a condition column; no other control has it."""
    is_taken = column.casefold() in _PARAMETERS or column.startswith((_PREFIX, "of_"))
    return f"{_PREFIX}{column}" if is_taken else column
