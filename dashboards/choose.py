"""Controls that several pages have. Each is bound to the page's URL, so that a link shows what one sees.

A page cannot switch to another with a parameter of the address that is bound on itself: their keys are not those of
the page of episodes, to which the others lead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import streamlit as st

from dashboards.results import Design, Source
from dashboards.text import plain

__all__ = ["bound", "design", "metric", "models", "run", "seeds", "willing"]

_MOST = 8  # models in one chart that can be told apart
_AT_ONCE = 300_000  # records that a page reads within two seconds
_A_SECOND = 200_000


def bound(label: str, options: Sequence[str], key: str, help: str | None = None) -> str:
    """One of some options; the first by default."""
    _settle(label, key, options)
    chosen: str = st.selectbox(label, options, key=key, bind="query-params", help=help)
    return chosen


def run(names: Sequence[str]) -> str:
    """One of some runs. One that was chosen stays in the address, the newest too: a newer may come tomorrow."""
    _settle("Run", "run", names)
    chosen = st.selectbox("Run", names, index=None, placeholder=names[0], key="run", bind="query-params")
    return str(chosen or names[0])


def design(designs: Sequence[Design]) -> Design:
    """One of a study's designs, by the values in which they differ; the newest by default."""
    left = list(designs)
    keys = list(dict.fromkeys(key for design in left for key in design.values))
    varying = [key for key in keys if len({design.values.get(key, "–") for design in left}) > 1]
    places = st.columns(max(len(varying), 1))
    for key, place in zip(varying, places, strict=False):
        options = list(dict.fromkeys(design.values.get(key, "–") for design in left))
        with place:
            label = "Dataset" if key == "data" else plain(key.replace("_", " ").capitalize())
            chosen = bound(label, options, f"of_{key}")
        left = [design for design in left if design.values.get(key, "–") == chosen]
    return left[0]


def models(design: Design) -> list[str]:
    """Some of a design's models, at most as many as a chart can tell apart."""
    _settle("Models", "models", design.models)
    chosen = st.multiselect(
        "Models",
        design.models,
        default=design.models[:_MOST],
        key="models",
        bind="query-params",
        max_selections=_MOST,
    )
    return [str(model) for model in chosen]


def seeds(design: Design) -> list[int]:
    """Some of a design's seeds; that of the newest run by default. Queries of several are taken together."""
    options = [str(seed) for seed in design.seeds]
    _settle("Seeds", "seeds", options)
    chosen = st.multiselect("Seeds", options, default=options[:1], key="seeds", bind="query-params")
    return [int(seed) for seed in chosen]


def metric(both: bool = False, key: str = "by") -> str:
    """`candidate` or `open-ended`, or `both`."""
    return bound("Metric", [*(["both"] if both else []), "candidate", "open-ended"], key)


def willing(sources: Sequence[Source]) -> bool:
    """Whether to read the records of all these: what takes longer than a page should is read when asked for."""
    runs = {source.run.run: source.run for source in sources}
    shares = Counter(source.run.run for source in sources)
    count = sum(run.records * shares[name] // len(run.config["models"]) for name, run in runs.items())
    if count <= _AT_ONCE:
        return True
    told = f"Read {count:,} records, in about {count / _A_SECOND:.0f} s; fewer models or seeds take less"
    return st.toggle(told, key="all", bind="query-params")


def _settle(label: str, key: str, options: Sequence[str]) -> None:
    """What was chosen before and is no option any more is forgotten; what an address asks for in vain is told."""
    chosen = st.session_state.get(key)
    if key in st.session_state:
        values = chosen if isinstance(chosen, list) else [chosen]
        if any(value not in options for value in values):
            del st.session_state[key]
        return
    for asked in st.query_params.get_all(key):
        if asked not in options:
            st.warning(f"{label}: there is no {plain(asked)} here; this is shown instead.")
