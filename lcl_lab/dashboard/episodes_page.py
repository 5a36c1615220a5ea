"""Episodes: any answer with the conversation that it ended, found by condition, model and outcome."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import streamlit as st

from lcl_lab import analysis, reporting
from lcl_lab.dashboard import controls, render
from lcl_lab.dashboard.answer_queries import (
    OUTCOMES,
    AnswerQuery,
    Answers,
    FoundAnswer,
    address_value,
    condition_values,
    metrics_of,
)
from lcl_lab.dashboard.escape import escape_markdown
from lcl_lab.dashboard.images import record_picture, show_image, warn_of_missing_datasets
from lcl_lab.dashboard.pages import Page
from lcl_lab.dashboard.run_index import RunIndex, Source

__all__ = ["link", "open_episodes", "pages", "source_name", "this_page"]

_ANY = "any"
_PER_PAGE = 10
_CONTROLS_PER_ROW = 5
_PARAMETERS = frozenset(
    "a all answers at b beside by embed embed_options metric model models none page part query run seeds side study "
    "sweep trial view".split()
)
"""Parameters of the address of any page that control something else, and keys that Streamlit does not take."""
_PREFIX = "condition_"
_FOLLOWED = "followed"  # names the link to the episodes of a point
_FOLLOW = f"""
<script>
(function follow() {{
  const link = document.querySelector(".st-key-{_FOLLOWED} a");
  if (link) link.click();
  else setTimeout(follow, 20);  // the code of links is fetched with the first one
}})();
</script>
"""
_MARKS = {True: "✓", False: "✗", None: "–"}


def pages() -> list[Page]:
    """The page of episodes."""
    return [Page("Episodes", "episodes", _show, section="Answers")]


def this_page() -> st.Page:
    """The page, to switch to or to link to."""
    return st.Page(cast(Any, _show), title="Episodes", url_path="episodes")


def link(source: Source, condition: Mapping[str, Any], **more: str) -> dict[str, str]:
    """The address parameters of one model's episodes under a condition, such as that of a clicked point.

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


def open_episodes(address: Mapping[str, str]) -> None:
    """Go from another page to the episodes behind a point of its chart, as one entry of the history.

    The page shows a link and follows it. `st.switch_page` would first add an entry for the current page with the
    parameters of the next one.

    Args:
        address: parameters of the page of episodes, from `link`.
    """
    with st.container(key=_FOLLOWED):
        st.page_link(this_page(), label="Episodes of this point", query_params=dict(address))
    st.html(_FOLLOW, unsafe_allow_javascript=True)


def source_name(source: Source, run: str) -> str:
    """The name of a source next to one of a run: its model, and its run if that is another."""
    return source.model if source.run.run == run else f"{source.model} in {source.run.run}"


def _show(index: RunIndex) -> None:
    """Controls; then one episode as a conversation, or a list of several."""
    query = _select_query(index)
    if query is None:
        st.info("There are no records yet.")
        return
    warn_of_missing_datasets(index.data)
    with Answers(query) as answers:
        if answers.total == 1:
            _show_conversation(index, query, answers.rows(0, 1)[0], answers.conditions)
            return
        st.caption(reporting.render("{total:,} episodes", {"total": answers.total}))
        number = controls.select_page(math.ceil(answers.total / _PER_PAGE))
        rows = answers.rows((number - 1) * _PER_PAGE, _PER_PAGE)
        for row in rows:
            _show_summary(index, query, row, answers.conditions)
    if not rows:
        st.info("No episode matches.")
        return
    listed = [
        {
            "query": _condition_text(row.record, answers.conditions),
            "names": _names(row.record),
            **_answers(query, row),
        }
        for row in rows
    ]
    table = reporting.Table.from_rows("Answers", listed)
    render.show_export(
        reporting.Findings("Episodes", [reporting.Section(query.source.run.run, tables=[table])]), "episodes"
    )


def _select_query(index: RunIndex) -> AnswerQuery | None:
    sources = {(s.run.run, s.model): s for group in index.groups for s in group.all_sources}
    if not sources:
        return None
    run_place, model_place, other_place, metric_place = st.columns([3, 2, 3, 2])
    with run_place:
        run = controls.select_run(list(dict.fromkeys(run for run, _ in sources)), index.labels)
    with model_place:
        model = controls.select("Model", [model for other_run, model in sources if other_run == run], "model")
    source = sources[run, model]
    with other_place:
        others = {source_name(s, run): s for s in sources.values() if s.run.study == source.run.study and s != source}
        help = "another model or run, on the same queries"
        other_name = controls.select("Compare with", ["none", *others], "beside", help)
    other = others.get(other_name)
    with metric_place:
        metric = controls.select_metric(_metrics(source, other), key="metric")
    where, rest = _select_condition(source)
    outcomes = list(OUTCOMES) if other else [outcome for outcome in OUTCOMES if outcome != "flipped"]
    with next(rest):
        outcome = controls.select("Answers", outcomes, "answers")
    with next(rest):
        number = _select_number()
    return AnswerQuery(source, other, metric, where, outcome, number)


def _metrics(source: Source, other: Source | None) -> list[str]:
    """The metrics that both sources have answers for; open-ended ones always exist."""
    metrics = list(analysis.MAIN_METRICS)
    for one in (source, other):
        if one is not None:
            metrics = metrics_of(one.state, one, metrics)
    return metrics or ["open-ended"]


def _select_condition(source: Source) -> tuple[dict[str, str], Any]:
    """The selected values of condition columns, pair and true name, and the places for two further controls."""
    choices = condition_values(source.state, source)
    rows = math.ceil((len(choices) + 2) / _CONTROLS_PER_ROW)
    places = iter([place for _ in range(rows) for place in st.columns(_CONTROLS_PER_ROW)])
    where = {}
    for column, values in choices.items():
        with next(places):
            label = escape_markdown(column.replace("_", " ").capitalize())
            selected = controls.select(label, [_ANY, *values], _parameter(column))
        if selected != _ANY:
            where[column] = selected
    return where, places


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


def _show_summary(index: RunIndex, query: AnswerQuery, found: FoundAnswer, conditions: Sequence[str]) -> None:
    record = found.record
    with st.container(border=True):
        image_place, text_place, link_place = st.columns([1, 6, 1])
        with image_place:
            show_image(index.data, record["query_image"], 72)
        with text_place:
            st.caption(escape_markdown(_condition_text(record, conditions)))
            st.text(_names(record))
            _show_answers(query, found)
        with link_place:
            address = _permanent_link(query, record, conditions)
            st.button("Open", f"open {address}", type="tertiary", on_click=controls.go_to, args=(address,))


def _show_conversation(index: RunIndex, query: AnswerQuery, found: FoundAnswer, conditions: Sequence[str]) -> None:
    record = found.record
    title = f"Query {record['query_id']}: {_names(record)}"
    place = f"pair {record['pair']}; {record['data']}; support {record['support_id']}"
    origin = f"{_condition_text(record, conditions)}; {place}"
    st.subheader(escape_markdown(title))
    st.caption(escape_markdown(origin))
    for example in record["support"] or []:
        with st.chat_message("user"):
            show_image(index.data, example["image"], 72)
        with st.chat_message("assistant"), st.container(horizontal=True):
            st.text(example["label"])
            if example["false"]:
                st.badge("false label", color="orange")
                st.text(f"it is {example['true_label']}")
    with st.chat_message("user"):
        show_image(index.data, record["query_image"], 128)
        st.text(record["question"])
    with st.chat_message("assistant"):
        _show_answers(query, found)
    address = _permanent_link(query, record, conditions)
    st.page_link(this_page(), label="Permanent link to this episode", query_params=address)
    condition = {key: value for key, value in address.items() if key != "query"}
    st.button("All episodes of this condition", type="tertiary", on_click=controls.go_to, args=(condition,))
    lines = [origin, *(f"{model}: {answer}" for model, answer in _answers(query, found).items())]
    statements = [reporting.Statement("{line}", {"line": line}) for line in lines]
    section = reporting.Section(query.source.run.run, statements, record_picture(record, index.data), "episode")
    render.show_export(reporting.Findings(title, [section]), "episode")


def _condition_text(row: dict[str, Any], conditions: Sequence[str]) -> str:
    values = {column: row[column] for column in conditions if row[column] is not None}
    return f"query {row['query_id']}: {reporting.format_condition(values)}"


def _names(row: dict[str, Any]) -> str:
    return f"{row['true_name']}, not {' or '.join(_other_names(row))}" if row["other_name"] else str(row["true_name"])


def _permanent_link(query: AnswerQuery, row: dict[str, Any], conditions: Sequence[str]) -> dict[str, str]:
    # "beside" stays the name of this parameter, so that links from earlier versions open the same view.
    beside = {"beside": source_name(query.other, query.source.run.run)} if query.other else {}
    values = {column: row[column] for column in conditions if row[column] is not None}
    return link(query.source, values, query=str(row["query_id"]), metric=query.metric, **beside)


def _show_answers(query: AnswerQuery, found: FoundAnswer) -> None:
    """Each model's answer, whether it is right, and each name's log-likelihood."""
    for model, answer in _answers(query, found).items():
        st.text(f"{answer[:1]} {model}: {answer[2:]}")


def _answers(query: AnswerQuery, found: FoundAnswer) -> dict[str, str]:
    """By model: a mark and the answer, and below it each name's log-likelihood."""
    names = found.record["true_name"], *_other_names(found.record)
    answers = {query.source.model: _answer(found.record, found.right, names)}
    if query.other:
        answers[source_name(query.other, query.source.run.run)] = _answer(found.other, found.other_right, names)
    return answers


def _other_names(record: Mapping[str, Any]) -> Sequence[str]:
    """The wrong candidates; of two, the other one."""
    return [record["other_name"]] if record["other_names"] is None else record["other_names"]


def _answer(record: Mapping[str, Any], right: bool | None, names: Sequence[str]) -> str:
    template = "   {name}: log-likelihood {total:.2f}, {per_token:.2f} per token"
    lines = [f"{_MARKS[right]} {record['answer']}"]
    logliks, tokens_of = (
        [record[f"{kind}_true"], *(record[f"{kind}_others"] or [record[f"{kind}_other"]])]
        for kind in ("loglik", "tokens")
    )
    for name, total, tokens in zip(names, logliks, tokens_of, strict=False):
        if total is not None and tokens:
            values = {"name": name, "total": total, "per_token": total / tokens}
            lines.append(reporting.render(template, values))
    return "\n".join(lines)
