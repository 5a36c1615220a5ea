"""How findings look on a page: words, charts that can be clicked and saved, tables as CSV, and the page as one file."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import streamlit as st
from PIL.Image import Image

from dashboards.text import plain, words
from lcl_lab.figures import Figure
from lcl_lab.studies import Findings, Section, Table

__all__ = ["chart", "export", "findings", "of_metric"]

_PICKED = "picked"  # the selection that a click on a point makes
_DARK = {'"white"': '"#171614"', '"#222222"': '"#EEEEEE"', '"#666666"': '"#A6ACB5"', '"#000000"': '"#FFFFFF"'}
_DARK |= {'"#E6E6E6"': '"#31363F"', '"#DDDDDD"': '"#3C424C"', '"#777777"': '"#A6ACB5"'}
_SIDE = 340  # pixels of a figure that is as wide as high, such as a radar; fits a phone
_LETTERS = 42  # of a legend's title in a line
_ABREAST = 2  # panels
Format = Literal["png", "svg", "json"]
_MIME: Mapping[Format, str] = {"png": "image/png", "svg": "image/svg+xml", "json": "application/json"}


def findings(found: Findings, key: str, columns: Sequence[str] = ()) -> dict[str, Any] | None:
    """Draw all sections and the paper's claims; the values of `columns` of a point that was clicked, if one was."""
    picked = None
    for number, section in enumerate(found.sections):
        if len(found.sections) > 1:
            st.subheader(plain(section.heading))
        picked = _section(section, f"{key}-{number}", columns) or picked
    if found.claims:
        st.subheader("Beside the paper")
        rows = [{name: plain(value) for name, value in vars(claim).items()} for claim in found.claims]
        st.table(rows, border="horizontal", hide_index=True)  # whole sentences, which a data frame would cut
    return picked


def _section(section: Section, key: str, columns: Sequence[str]) -> dict[str, Any] | None:
    picked = None
    if isinstance(section.figure, Image):
        st.image(section.figure)
    elif section.figure is not None:
        picked = chart(section.figure, key, section.name, columns)
    words(section.sentences)
    for number, table in enumerate(section.tables):
        with nullcontext() if number == 0 else st.expander(plain(table.caption)):
            _table(table, f"{key}-table-{number}")
    return picked


def of_metric(found: Findings, metric: str) -> Findings:
    """Only what findings say of one metric, and what they say of none: panels, sentences, rows of tables."""

    def kept(text: str) -> bool:
        named = set(re.findall(r"open-ended|candidate-raw|candidate", text))
        return not named or metric in named

    sections = []
    for section in found.sections:
        figure = section.figure
        if isinstance(figure, Figure):
            figure = figure.for_metric(metric)
            figure = figure if figure.panels else None
        tables = [
            Table(one.caption, one.rows[one.rows["metric"] == metric] if "metric" in one.rows else one.rows)
            for one in section.tables
        ]
        sentences = [sentence for sentence in section.sentences if kept(sentence)]
        sections.append(replace(section, figure=figure, sentences=sentences, tables=tables))
    return replace(found, sections=sections)


def chart(figure: Figure, key: str, name: str, columns: Sequence[str] = ()) -> dict[str, Any] | None:
    """Draw the panels of a figure side by side, or below one another on a phone, and offer to save it."""
    picked = None
    panels = _panels(figure.chart().to_dict(validate=False))  # tests have: it takes as long as drawing
    places = [place for _ in panels[::_ABREAST] for place in st.columns(min(_ABREAST, len(panels)))]
    for number, (place, panel) in enumerate(zip(places, panels, strict=False)):
        with place:
            picked = _panel(panel, f"{key}-{number}", columns) or picked
    with st.popover("Save"):
        for form, mime in _MIME.items():
            told = "Vega-Lite" if form == "json" else form.upper()
            content = partial(figure.render, form)
            st.download_button(told, content, f"{name}.{form}", mime, key=f"{key}-{form}", on_click="ignore")
    return picked


def _panels(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """The views of a figure, each a specification of its own: Streamlit stacks them where a screen is narrow."""
    views = spec.get("hconcat") or spec.get("vconcat")
    if not views:
        return [{name: value for name, value in spec.items() if name != "title"}]  # the page has it as a heading
    shared: dict[str, Any] = {name: spec[name] for name in ("$schema", "config", "data", "datasets") if name in spec}
    return [{**shared, **view} for view in views]


def _panel(spec: dict[str, Any], key: str, columns: Sequence[str]) -> dict[str, Any] | None:
    spec = json.loads(json.dumps(spec))
    config = spec.setdefault("config", {})
    config.pop("background", None)
    config["legend"] = {**config.get("legend", {}), "layout": {"bottom": {"anchor": "start", "direction": "vertical"}}}
    _wrap_legends(spec)
    square = spec.get("width") == spec.get("height")
    if square:
        spec |= {"width": _SIDE, "height": _SIDE, "autosize": "pad"}
    else:
        spec["autosize"] = {"type": "fit-x", "contains": "padding"}  # legends come below the plot, and take none of it
        spec.pop("width", None)
    clickable = columns and _add_selection(spec, columns)
    text = json.dumps(spec)
    if st.context.theme.type == "dark":
        text = re.sub("|".join(_DARK), lambda match: _DARK[match[0]], text)
    given: dict[str, Any] = {"width": _SIDE if square else "stretch", "theme": None, "key": key}
    if not clickable:
        st.vega_lite_chart(json.loads(text), **given)
        return None
    event: Any = st.vega_lite_chart(json.loads(text), on_select="rerun", **given)
    chosen = event["selection"].get(_PICKED)
    return dict(chosen[0]) if chosen else None


def _wrap_legends(spec: Any) -> None:
    """Break the titles of legends that are wider than a panel."""
    for value in spec.values() if isinstance(spec, dict) else spec if isinstance(spec, list) else ():
        _wrap_legends(value)
    legend = spec.get("legend") if isinstance(spec, dict) else None
    if isinstance(legend, dict) and isinstance(legend.get("title"), str):
        legend["title"] = textwrap.wrap(legend["title"], _LETTERS)


def _add_selection(spec: dict[str, Any], columns: Sequence[str]) -> bool:
    """Let the filled points of the first layer that has them be clicked; false where there are none."""
    for layer in spec.get("layer", ()):
        mark = layer.get("mark")
        if isinstance(mark, dict) and mark.get("type") == "point" and mark.get("filled"):
            name = layer.get("data", spec.get("data", {})).get("name")
            rows = spec.get("datasets", {}).get(name) or [{}]
            fields = [column for column in columns if column in rows[0]]
            if fields:
                layer["params"] = [{"name": _PICKED, "select": {"type": "point", "fields": fields}}]
                layer["mark"] = {**mark, "cursor": "pointer"}
                return True
    return False


def _table(table: Table, key: str) -> None:
    st.caption(plain(table.caption))
    st.dataframe(table.rows, hide_index=True)
    st.download_button(
        "CSV", lambda: table.rows.to_csv(index=False).encode(), f"{key}.csv", "text/csv", key=key, on_click="ignore"
    )


def export(found: Findings, name: str, doc: str = "", notes: Sequence[str] = ()) -> None:
    """A button that gives the page as one HTML file that fetches nothing."""

    def content() -> bytes:
        from lcl_lab.studies._report import findings_page

        return findings_page(found, doc, notes).encode()

    st.download_button("Export report", content, f"{name}.html", "text/html", on_click="ignore")
