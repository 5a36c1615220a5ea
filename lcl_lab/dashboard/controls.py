"""Controls that several pages share. Each is bound to the page's address, so that a link shows the same view.

A page cannot switch to another with a parameter of the address that is bound on both: the keys here differ from those
of the page of episodes, to which the others lead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import streamlit as st

from lcl_lab import reporting
from lcl_lab.dashboard.escape import escape_markdown
from lcl_lab.dashboard.run_index import RunGroup, Source

__all__ = [
    "BOTH",
    "confirm_reading",
    "select",
    "select_group",
    "select_metric",
    "select_models",
    "select_run",
    "select_seeds",
]

BOTH = "both"
_MAX_MODELS = 8  # that a chart can show apart
_MAX_RECORDS = 300_000  # that a page reads within two seconds
_RECORDS_PER_SECOND = 200_000
_NO_VALUE = "–"


def select(label: str, options: Sequence[str], key: str, help: str | None = None) -> str:
    """One of several options; the first by default."""
    _check_address(label, key, options)
    selected: str = st.selectbox(label, options, key=key, bind="query-params", help=help)
    return selected


def select_run(names: Sequence[str]) -> str:
    """One of several runs. A selected run stays in the address even if it is the newest: a newer one may follow."""
    _check_address("Run", "run", names)
    selected = st.selectbox("Run", names, index=None, placeholder=names[0], key="run", bind="query-params")
    return str(selected or names[0])


def select_group(groups: Sequence[RunGroup]) -> RunGroup:
    """One of a study's groups, by the values in which their designs differ; the newest by default."""
    left = list(groups)
    keys = list(dict.fromkeys(key for group in left for key in group.design))
    varying = [key for key in keys if len({group.design.get(key, _NO_VALUE) for group in left}) > 1]
    places = st.columns(max(len(varying), 1))
    for key, place in zip(varying, places, strict=False):
        options = list(dict.fromkeys(group.design.get(key, _NO_VALUE) for group in left))
        label = "Dataset" if key == "data" else escape_markdown(key.replace("_", " ").capitalize())
        with place:
            selected = select(label, options, f"of_{key}")
        left = [group for group in left if group.design.get(key, _NO_VALUE) == selected]
    return left[0]


def select_models(group: RunGroup) -> list[str]:
    """Several of a group's models, at most as many as a chart can show apart."""
    _check_address("Models", "models", group.models)
    selected = st.multiselect(
        "Models",
        group.models,
        default=group.models[:_MAX_MODELS],
        key="models",
        bind="query-params",
        max_selections=_MAX_MODELS,
    )
    return [str(model) for model in selected]


def select_seeds(group: RunGroup) -> list[int]:
    """Several of a group's seeds, whose queries are pooled; that of the newest run by default."""
    options = [str(seed) for seed in group.seeds]
    _check_address("Seeds", "seeds", options)
    selected = st.multiselect("Seeds", options, default=options[:1], key="seeds", bind="query-params")
    return [int(seed) for seed in selected]


def select_metric(metrics: Sequence[str], both: bool = False, key: str = "by") -> str:
    """One of the metrics that there is data for, or `BOTH` where that is offered and there are two.

    Args:
        metrics: at least one; the first is the default, unless `both` is offered.
        both: offer to show both at once.
        key: the parameter of the address.
    """
    return select("Metric", [*([BOTH] if both and len(metrics) > 1 else []), *metrics], key)


def confirm_reading(sources: Sequence[Source]) -> bool:
    """Whether to read the records of the given sources; where that takes long, the user confirms it."""
    runs = {source.run.run: source.run for source in sources}
    shares = Counter(source.run.run for source in sources)
    count = sum(run.records * shares[name] // len(run.config["models"]) for name, run in runs.items())
    if count <= _MAX_RECORDS:
        return True
    template = "Read {count:,} records, in about {seconds:.0f} s; fewer models or seeds take less"
    label = reporting.render(template, {"count": count, "seconds": count / _RECORDS_PER_SECOND})
    return st.toggle(label, key="all", bind="query-params")


def _check_address(label: str, key: str, options: Sequence[str]) -> None:
    """Forget an earlier selection that is no option any more; report one that the address asks for in vain."""
    if key in st.session_state:
        selected = st.session_state[key]
        if any(value not in options for value in (selected if isinstance(selected, list) else [selected])):
            del st.session_state[key]
        return
    for value in st.query_params.get_all(key):
        if value not in options:
            st.warning(f"{label}: there is no {escape_markdown(value)} here; this is shown instead.")
