"""Episodes: any answer as the conversation that it ended, found by what was asked, of whom, and how it went."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from dashboards import choose, show
from dashboards.answers import SHOWN, Answers, Asked, conditions_of, text_of
from dashboards.pictures import show_picture, strip_of
from dashboards.results import Lab, Source, lab
from dashboards.text import plain
from lcl_lab.studies import Findings, Section, Table

__all__ = ["link", "name_of", "page", "this_page"]

_ANY = "any"
_PER_PAGE = 10
_ABREAST = 5  # controls


def this_page() -> Any:
    """The page, to switch to or to link to."""
    return st.Page(page, title="Episodes", url_path="episodes")


def link(source: Source, where: Mapping[str, Any], **more: str) -> dict[str, str]:
    """The address of the episodes of one model under the values of some columns, such as a clicked point has."""
    values = {key: text_of(value) for key, value in where.items() if key != "model"}
    return {"run": source.run.run, "model": source.model, **values, **more}


def page() -> None:
    """Controls; then one episode as a conversation, or a page of several."""
    here = lab()
    asked = _asked(here)
    if asked is None:
        st.info("There are no records yet.")
        return
    with Answers(asked) as answers:
        if answers.total == 1:
            _conversation(here, asked, answers.rows(0, 1)[0], answers.conditions)
            return
        st.caption(f"{answers.total:,} episodes")
        number = 1
        if answers.total > _PER_PAGE:
            pages = math.ceil(answers.total / _PER_PAGE)
            asked_page = st.query_params.get("page", "1")
            if not (asked_page.isdigit() and 1 <= int(asked_page) <= pages):
                st.warning(f"There is no page {plain(asked_page)}: there are {pages}.")
            number = st.pagination(pages, key="page", bind="query-params")
        rows = answers.rows((number - 1) * _PER_PAGE, _PER_PAGE)
        for row in rows:
            _line(here, asked, row, answers.conditions)
    if not rows:
        st.info("No episode is like that.")
        return
    told = pd.DataFrame(
        [{"query": _where(row, answers.conditions), "names": _names(row), **_said(asked, row)} for row in rows]
    )
    show.export(Findings("Episodes", [Section(asked.source.run.run, [], tables=[Table("Answers", told)])]), "episodes")


def _asked(here: Lab) -> Asked | None:
    sources = {(s.run.run, s.model): s for design in here.designs for s in design.every}
    if not sources:
        return None
    top = st.columns([3, 2, 3, 2])
    with top[0]:
        run = choose.run(list(dict.fromkeys(run for run, _ in sources)))
    with top[1]:
        model = choose.bound("Model", [model for other, model in sources if other == run], "model")
    source = sources[run, model]
    with top[2]:
        others = {name_of(s, run): s for s in sources.values() if s.run.study == source.run.study and s != source}
        beside = choose.bound("Beside", ["none", *others], "beside", "another model or run, on the same queries")
    with top[3]:
        metric = choose.metric(key="metric")
    conditions = conditions_of(source.state, source)
    places = iter([place for _ in range(-(-(len(conditions) + 2) // _ABREAST)) for place in st.columns(_ABREAST)])
    where = {}
    for column, values in conditions.items():
        with next(places):
            chosen = choose.bound(plain(column.replace("_", " ").capitalize()), [_ANY, *values], column)
        if chosen != _ANY:
            where[column] = chosen
    with next(places):
        shown = choose.bound("Answers", list(SHOWN) if beside != "none" else list(SHOWN)[:3], "answers")
    with next(places):
        query = st.text_input("Query", key="query", bind="query-params", placeholder="its number")
    if query and not query.isdigit():
        st.warning(f"Query {plain(query)}: give its number, 0 or more.")
        query = ""
    return Asked(source, others.get(beside), metric, where, shown, int(query) if query else None)


def name_of(source: Source, run: str) -> str:
    return source.model if source.run.run == run else f"{source.model} in {source.run.run}"


def _line(here: Lab, asked: Asked, row: dict[str, Any], columns: list[str]) -> None:
    with st.container(border=True):
        image, told, opened = st.columns([1, 6, 1])
        with image:
            show_picture(here.data, row["query_image"], 72)
        with told:
            st.caption(plain(_where(row, columns)))
            st.text(_names(row))
            _answers(asked, row)
        with opened:
            st.page_link(this_page(), label="Open", query_params=_permanent(asked, row, columns))


def _conversation(here: Lab, asked: Asked, row: dict[str, Any], columns: list[str]) -> None:
    title = f"Query {row['query_id']}: {_names(row)}"
    told = f"{_where(row, columns)}; pair {row['pair']}; {row['data']}; support {row['support_id']}"
    st.subheader(plain(title))
    st.caption(plain(told))
    for shot in row["support"] or []:
        with st.chat_message("user"):
            show_picture(here.data, shot["image"], 72)
        with st.chat_message("assistant"), st.container(horizontal=True):
            st.text(shot["label"])
            if shot["false"]:
                st.badge("false label", color="red")
                st.text(f"it is {shot['true_label']}")
    with st.chat_message("user"):
        show_picture(here.data, row["query_image"], 128)
        st.text(row["question"])
    with st.chat_message("assistant"):
        _answers(asked, row)
    address = _permanent(asked, row, columns)
    st.page_link(this_page(), label="Permanent link to this episode", query_params=address)
    others = {key: value for key, value in address.items() if key != "query"}
    st.page_link(this_page(), label="All episodes of this condition", query_params=others)
    said = [f"{model}: {answer}" for model, answer in _said(asked, row).items()]
    section = Section(asked.source.run.run, [told, *said], strip_of(row, here.data), "episode")
    show.export(Findings(title, [section]), "episode")


def _where(row: dict[str, Any], columns: list[str]) -> str:
    values = ", ".join(f"{column} {text_of(row[column])}" for column in columns if row[column] is not None)
    return f"query {row['query_id']}: {values}"


def _names(row: dict[str, Any]) -> str:
    return f"{row['true_name']}, not {row['other_name']}" if row["other_name"] else str(row["true_name"])


def _permanent(asked: Asked, row: dict[str, Any], columns: list[str]) -> dict[str, str]:
    beside = {"beside": name_of(asked.beside, asked.source.run.run)} if asked.beside else {}
    where = {column: row[column] for column in columns if row[column] is not None}
    more = {"query": str(row["query_id"]), "metric": asked.metric, **beside}
    return link(asked.source, where, **more)


def _answers(asked: Asked, row: dict[str, Any]) -> None:
    """What the model said, and what the one beside it said, with both names' log-likelihoods."""
    for model, said in _said(asked, row).items():
        st.text(f"{said[:1]} {model}: {said[2:]}")


def _said(asked: Asked, row: dict[str, Any]) -> dict[str, str]:
    """By model: a mark, the answer, and below it each name's log-likelihood."""
    sides = {asked.source.model: ("a_right", "")}
    if asked.beside:
        sides[name_of(asked.beside, asked.source.run.run)] = ("b_right", "b_")
    said = {}
    for model, (right, side) in sides.items():
        text = f"{'✓' if row[right] else '✗'} {row[f'{side}answer']}"
        for which in ("true", "other"):
            total, tokens = row[f"{side}loglik_{which}"], row[f"{side}tokens_{which}"]
            if total is not None and tokens:
                text += f"\n   {row[f'{which}_name']}: log-likelihood {total:.2f}, {total / tokens:.2f} a token"
        said[model] = text
    return said
