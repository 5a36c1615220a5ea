"""Controls that several pages share. Their values are stored in the address of the page, and nowhere else.

A control shows the value in the address. Changing it changes the address, which adds one entry to the history of the
browser. So a link, a reload, and the browser's Back and Forward show the same view. Streamlit's own `bind` adds an
entry for each control that changes, and does not reset controls that a new address leaves out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from lcl_lab import reporting
from lcl_lab.dashboard.escape import escape_markdown
from lcl_lab.dashboard.run_index import RunGroup, Source

__all__ = [
    "BOTH",
    "confirm_reading",
    "current_address",
    "enter_text",
    "go_to",
    "group_address",
    "select",
    "select_group",
    "select_metric",
    "select_models",
    "select_others",
    "select_page",
    "select_run",
    "select_seeds",
    "select_several",
    "select_view",
    "whole_number",
]

BOTH = "both"
_MAX_MODELS = 8  # that a chart can show apart
_MAX_RECORDS = 2_000_000  # that a page analyses within ten seconds
_RECORDS_PER_SECOND = 200_000
_NO_VALUE = "–"
_DIGITS = re.compile("[0-9]{1,18}")
_TRUE = "true"
_PICKED = ("page", "point", "side", "trial")
"""Parameters of what is picked of the view that the controls select."""
_NONE = ""  # in the address, for a selection of nothing


def select(label: str, options: Sequence[str], key: str, help: str | None = None) -> str:
    """One of several options; the first by default."""
    requested = _requested(label, key, options)
    st.session_state[key] = requested[0] if requested else options[0]
    selected: str = st.selectbox(label, options, key=key, help=help, on_change=_store, args=(key, options[0]))
    return selected


def select_several(label: str, options: Mapping[str, str], key: str, most: int, help: str | None = None) -> list[str]:
    """At most `most` of several options; none by default.

    Args:
        label: the name of the control.
        options: what each option is called in the control.
        key: the parameter of the address.
        most: how many can be selected.
        help: shown on request.
    """
    return _select_several(label, list(options), [], key, most, help, options.__getitem__)


def select_run(names: Sequence[str], labels: Mapping[str, str] | None = None) -> str:
    """One of several runs. A selected run stays in the address even if it is the newest: a newer one may follow.

    Args:
        names: the runs, the newest first.
        labels: how each is shown, such as with its tags; None for the names themselves.
    """
    requested = _requested("Run", "run", names)
    st.session_state["run"] = requested[0] if requested else None

    def shown(name: str) -> str:
        return labels.get(name, name) if labels else name

    newest = shown(names[0])
    selected = st.selectbox(
        "Run", names, format_func=shown, placeholder=newest, key="run", on_change=_store, args=("run",)
    )
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


def group_address(groups: Sequence[RunGroup], group: RunGroup) -> dict[str, str]:
    """The parameters that select a group in `select_group`."""
    keys = dict.fromkeys(key for one in groups for key in one.design)
    varying = [key for key in keys if len({one.design.get(key, _NO_VALUE) for one in groups}) > 1]
    return {f"of_{key}": group.design.get(key, _NO_VALUE) for key in varying}


def select_view(views: Sequence[str]) -> str:
    """One of the views of a page, each of which answers one question; the first by default."""
    requested = _requested("View", "view", views)
    st.session_state["view"] = requested[0] if requested else views[0]
    selected = st.segmented_control(
        "View",
        views,
        key="view",
        required=True,
        label_visibility="collapsed",
        on_change=_store,
        args=("view", views[0]),
    )
    return str(selected)


def select_others(label: str, options: Sequence[str], default: Sequence[str], key: str, most: int) -> list[str]:
    """Several of the options, at most `most`."""
    return _select_several(label, options, default, key, most)


def select_models(group: RunGroup, strategies: Sequence[str] = ()) -> list[str]:
    """Several of a group's models, at most as many as a chart can show apart.

    Args:
        group: whose models there are; the first are the default.
        strategies: names of several trainings together, which are offered in addition.
    """
    options = [*group.models, *strategies]
    return _select_several("Models", options, group.models[:_MAX_MODELS], "models", _MAX_MODELS)


def select_seeds(group: RunGroup) -> list[int]:
    """Several of a group's seeds, whose queries are pooled; that of the newest finished run by default."""
    options = [str(seed) for seed in group.seeds]
    return [int(seed) for seed in _select_several("Seeds", options, options[:1], "seeds")]


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
    st.session_state["all"] = st.query_params.get("all") == _TRUE
    return st.toggle(label, key="all", on_change=_store, args=("all", False))


def select_page(count: int) -> int:
    """One of the pages of a list, from 1 on."""
    if count <= 1:
        return 1
    requested = st.query_params.get("page", "1")
    number = whole_number(requested)
    if number is None or not 1 <= number <= count:
        st.warning(f"There is no page {escape_markdown(requested)}: there are {count}.")
        number = 1
    st.session_state["page"] = number
    return int(st.pagination(count, key="page", on_change=_store, args=("page", 1)))


def enter_text(label: str, key: str, placeholder: str, help: str | None = None) -> str:
    """A text; empty by default."""
    st.session_state[key] = st.query_params.get(key, "")
    return st.text_input(label, key=key, placeholder=placeholder, help=help, on_change=_store, args=(key, "")) or ""


def whole_number(text: str) -> int | None:
    """The number that a text of an address stands for; None if it is none, or larger than any."""
    return int(text) if _DIGITS.fullmatch(text) else None


def current_address() -> dict[str, list[str]]:
    """All parameters of the address of this view."""
    return {key: st.query_params.get_all(key) for key in st.query_params}


def go_to(address: Mapping[str, str | list[str]]) -> None:
    """Show another view of this page as one entry of the history; for the callback of a button.

    Args:
        address: the parameters of the view.
    """
    st.query_params.from_dict(dict(address))  # set one by one, they would be several entries


def _select_several(
    label: str,
    options: Sequence[str],
    default: Sequence[str],
    key: str,
    most: int | None = None,
    help: str | None = None,
    name: Callable[[str], str] = str,
) -> list[str]:
    requested = _requested(label, key, options)[:most]
    none = st.query_params.get_all(key) == [_NONE]
    st.session_state[key] = requested if requested or none else list(default)
    selected = st.multiselect(
        label,
        options,
        format_func=name,
        key=key,
        help=help,
        max_selections=most,
        wrap=True,
        on_change=_store,
        args=(key, list(default)),
    )
    return [str(value) for value in selected]


def _requested(label: str, key: str, options: Sequence[str]) -> list[str]:
    """The options that the address asks for, each once; a warning for what is no option."""
    values = list(dict.fromkeys(st.query_params.get_all(key)))
    for value in values:
        if value not in (*options, _NONE):
            st.warning(f"{label}: there is no {escape_markdown(value)} here; this is shown instead.")
    return [value for value in values if value in options]


def _store(key: str, default: object = None) -> None:
    """Write the value of a control that has changed into the address, which names no defaults.

    What was picked of a view that another control changes is picked no more, and a list begins with its first page.
    """
    value = st.session_state[key]
    address = {name: values for name, values in current_address().items() if name not in (key, *_PICKED)}
    values = value if isinstance(value, list) else [_TRUE if value is True else value]
    go_to(address if value == default else {**address, key: list(map(str, values)) or [_NONE]})
