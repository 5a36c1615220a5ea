"""Compare: any number of models, strategies and runs with a reference, on the same queries, down to single answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from lcl_lab import analysis
from lcl_lab.dashboard import answer_distributions, controls, episodes_page, render
from lcl_lab.dashboard.answer_distributions import Distribution
from lcl_lab.dashboard.comparable import comparable_with, first_comparable, reference_first
from lcl_lab.dashboard.escape import escape_markdown, show_paragraph
from lcl_lab.dashboard.pages import Page
from lcl_lab.dashboard.pair_differences import pair_findings
from lcl_lab.dashboard.picked_answers import show_picked_answers
from lcl_lab.dashboard.run_differences import run_difference_findings
from lcl_lab.dashboard.run_index import RunIndex
from lcl_lab.dashboard.side_comparison import comparison_findings
from lcl_lab.dashboard.sides import CONDITION, LETTER, Side, find_sides, labels_of, shared_sources, side_records
from lcl_lab.dashboard.sweep_trials import read_all_trials, trainings_by_run
from lcl_lab.errors import UserError
from lcl_lab.reporting import Findings

__all__ = ["pages"]

_MOST_OTHERS = 7  # sides next to the reference that a chart can show apart
_OTHERS_AT_FIRST = 3
_EVERY = "all conditions"
_QUESTIONS = {
    "Differences": "On the same queries, is another side better than A, and by how much?",
    "Concept pairs": "On which concept pairs do the sides differ?",
    "Margins": "By how much is the true name likelier than another?",
    "Calibration": "Is a side right as often as it is confident?",
    "Names": "Which names are taken for others?",
    "Configuration": "What differs between the runs?",
}
"""The views, with the question that each answers."""


@dataclass(frozen=True, eq=False)
class _Sides:
    """The selected sides with their records.

    Attributes:
        sides: the reference and the others.
        records: of `side_records`.
        conditions: of `side_records`.
    """

    sides: Sequence[Side]
    records: pd.DataFrame
    conditions: Mapping[str, Mapping[str, Any]]

    @cached_property
    def labels(self) -> dict[str, str]:
        """The label of each side by its letter."""
        return labels_of(self.sides)

    def labelled(self, label: str) -> Side:
        """The side of a label."""
        return dict(zip(self.labels.values(), self.sides, strict=True))[label]

    def under(self, condition: str) -> pd.DataFrame:
        """The records under a condition, or under every one."""
        return self.records if condition == _EVERY else self.records[self.records[CONDITION] == condition]


def pages() -> list[Page]:
    """The page of comparisons."""
    return [Page("Compare", "compare", _show, section="Answers")]


def _show(index: RunIndex) -> None:
    """A reference and others; one question about them at a time."""
    if not index.groups:
        st.info("There are no records yet.")
        return
    view = controls.select_view(list(_QUESTIONS))
    st.caption(_QUESTIONS[view])
    *places, metric_place = st.columns([2, 2, 4, 2])
    sides = _select_sides(index, places)
    if len(sides) < 2:
        return
    _name_sides(sides)
    if view == "Configuration":
        findings = run_difference_findings(sides)
        render.show_findings(findings, "configuration")
        render.show_export(findings, "compare-configuration")
        return
    if not controls.confirm_reading([source for side in sides for source in side.sources]):
        return
    state = tuple((side.name, *(source.state for source in side.sources)) for side in sides)
    compared = _Sides(sides, *_cached_records(state, sides))
    try:
        _VIEWS[view](compared, state, metric_place)
    except UserError as error:
        st.info(escape_markdown(f"There is nothing to show here: {error}"))


def _select_sides(index: RunIndex, places: Sequence[DeltaGenerator]) -> list[Side]:
    """The reference and the sides that it is compared with; fewer than two after saying why."""
    study_place, a_place, b_place = places
    trainings = trainings_by_run(read_all_trials(index.folder))
    first = first_comparable(index, trainings)
    with study_place:
        study = controls.select("Study", _first(index.studies, first.study if first else None), "study")
    group = controls.select_group(_first(index.groups_of(study), first))
    sides = reference_first(find_sides(group, trainings))
    by_name = {side.name: side for side in sides}
    with a_place:
        a = by_name[controls.select("A, the reference", list(by_name), "a")]
    comparable = comparable_with(a, sides)
    if not comparable:
        st.info("Nothing else has answered the queries of A under a common condition.")
        return [a]
    with b_place:
        default = [side.name for side in _apart(a, comparable)][:_OTHERS_AT_FIRST]
        options = [side.name for side in comparable]
        names = controls.select_others("Compared with A", options, default, "b", _MOST_OTHERS)
    if not names:
        st.info("Choose what to compare A with.")
    return [a, *(by_name[name] for name in names)]


def _apart(reference: Side, sides: Sequence[Side]) -> list[Side]:
    """The sides that have no answers of the reference or of a side before them, as a single training may have."""
    apart, taken = [], set(reference.keys)
    for side in sides:
        if taken.isdisjoint(side.keys):
            apart.append(side)
            taken |= side.keys
    return apart


def _first(options: Sequence[Any], first: Any) -> list[Any]:
    """The options in their order, after one of them, if it is among them."""
    return sorted(options, key=lambda option: option is not first and option != first)


def _name_sides(sides: Sequence[Side]) -> None:
    """What each letter stands for, which runs have not finished, and whose seeds are averaged."""
    parts = [f"**{letter}** {label.partition(': ')[2]}" for letter, label in labels_of(sides).items()]
    show_paragraph(f"{parts[0]} (reference) · {' · '.join(parts[1:])}")
    unfinished = dict.fromkeys(s.run.run for side in sides for s in side.sources if not s.run.finished)
    if unfinished:
        names = escape_markdown(", ".join(unfinished))
        st.warning(f"Not finished, so this is what there is so far: {names}.")


def _show_differences(compared: _Sides, state: tuple[object, ...], metric_place: DeltaGenerator) -> None:
    findings = _cached_findings(state, compared)
    with metric_place:
        findings = _of_metric(findings)
    picked = render.show_findings(findings, "compare", ["condition", "side"])
    _link_flips(compared, findings.metrics[0])
    render.show_export(findings, "compare")
    if picked:
        condition = compared.conditions.get(picked["condition"], {})
        _open_flips(compared, picked["side"], condition, findings.metrics[0])


def _link_flips(compared: _Sides, metric: str) -> None:
    """A link to the queries that flip between the reference and each other side."""
    for label, side in zip(compared.labels.values(), compared.sides, strict=True):
        address = _flips(compared.sides[0], side, {}, metric) if side != compared.sides[0] else None
        if address:
            text = escape_markdown(f"The queries that flip between A and {label}")
            st.page_link(episodes_page.this_page(), label=text, query_params=address)


def _open_flips(compared: _Sides, label: str, condition: Mapping[str, Any], metric: str) -> None:
    """The answers that differ between the reference and a side; all answers of the reference itself."""
    reference, side = compared.sides[0], compared.labelled(label)
    if side == reference:
        episodes_page.open_episodes(episodes_page.link(side.sources[0], condition, metric=metric))
    elif address := _flips(reference, side, condition, metric):
        episodes_page.open_episodes(address)


def _flips(a: Side, b: Side, condition: Mapping[str, Any], metric: str) -> dict[str, str] | None:
    """The address of the answers that differ, of the first training and seed where a side has several."""
    pair = next(shared_sources(a, b), None)
    if pair is None:
        return None
    source, other = pair
    beside = episodes_page.source_name(other, source.run.run)
    return episodes_page.link(source, condition, beside=beside, answers="flipped", metric=metric)


def _show_pairs(compared: _Sides, state: tuple[object, ...], metric_place: DeltaGenerator) -> None:
    records, name = _select_condition(compared)
    with metric_place:
        metric = _select_known_metric(records)
    findings = pair_findings(records, compared.labels, metric)
    picked = render.show_findings(findings, "pairs", ["pair", "side"])
    render.show_export(findings, "compare-pairs")
    if picked:
        condition = {**compared.conditions.get(name, {}), "pair": picked["pair"]}
        _open_flips(compared, picked["side"], condition, metric)


def _show_margins(compared: _Sides, state: tuple[object, ...], metric_place: DeltaGenerator) -> None:
    records, _ = _select_condition(compared)
    _show_distribution(
        compared, records, answer_distributions.margin_distribution(records, compared.labels), "candidate"
    )


def _show_calibration(compared: _Sides, state: tuple[object, ...], metric_place: DeltaGenerator) -> None:
    records, name = _select_condition(compared)
    seed = compared.sides[0].seeds[0]
    distribution = answer_distributions.calibration_distribution(records, compared.labels, f"under {name}", seed)
    _show_distribution(compared, records, distribution, "candidate")


def _show_names(compared: _Sides, state: tuple[object, ...], metric_place: DeltaGenerator) -> None:
    records, _ = _select_condition(compared)
    with metric_place:
        metric = _select_known_metric(records)
    _show_distribution(
        compared, records, answer_distributions.name_distribution(records, compared.labels, metric), metric
    )


_VIEWS = {
    "Differences": _show_differences,
    "Concept pairs": _show_pairs,
    "Margins": _show_margins,
    "Calibration": _show_calibration,
    "Names": _show_names,
}


def _show_distribution(compared: _Sides, records: pd.DataFrame, distribution: Distribution, metric: str) -> None:
    """A figure, and the answers behind the point that the address names, which a click on another point changes."""
    label, part = (st.query_params.get(name, "") for name in ("side", "point"))
    label = compared.labels.get(label, "")
    key = f"{metric} {label} {part}"  # another one per point, so that a click on the previous one counts again
    picked = render.show_findings(distribution.findings, key, ["side", "model", distribution.column])
    if picked:
        side = picked.get("side") or picked.get("model")
        letter = str(side).partition(":")[0]
        controls.go_to({**controls.current_address(), "side": letter, "point": distribution.part_of(picked)})
        st.rerun()
    if label:
        answers = distribution.records_in(records, label, part)
        st.subheader(escape_markdown(f"Answers of {label} at {part}"))
        show_picked_answers(answers, compared.labelled(label), metric, f"answers {key}")
    render.show_export(distribution.findings, "compare")


def _select_condition(compared: _Sides) -> tuple[pd.DataFrame, str]:
    """The records under the condition that is selected, and its name; by default the first condition."""
    names = list(compared.conditions)
    name = controls.select("Condition", [*names, _EVERY] if len(names) > 1 else names, "at")
    return compared.under(name), name


def _select_known_metric(records: pd.DataFrame) -> str:
    """One of the metrics that more than one side has answers by."""
    known = {
        metric: records.loc[records[analysis.METRICS[metric]].notna(), LETTER].nunique()
        for metric in analysis.MAIN_METRICS
    }
    metrics = [metric for metric, sides in known.items() if sides > 1]
    if not metrics:
        raise UserError("no metric has answers of more than one side under this condition")
    return controls.select_metric(metrics)


def _of_metric(findings: Findings) -> Findings:
    """What belongs to the selected metric; by default to the one that compares the most conditions."""
    rows = findings.sections[0].tables[0].frame["metric"].value_counts()
    metrics = sorted(findings.metrics, key=lambda metric: -int(rows[metric]))
    return findings.for_metric(controls.select_metric(metrics))


@st.cache_resource(max_entries=8, show_spinner="Reading the records …")
def _cached_records(
    state: tuple[object, ...], _sides: Sequence[Side]
) -> tuple[pd.DataFrame, dict[str, dict[str, Any]]]:
    return side_records(_sides)


@st.cache_resource(max_entries=64, show_spinner="Comparing …")
def _cached_findings(state: tuple[object, ...], _compared: _Sides) -> Findings:
    return comparison_findings(_compared.records, _compared.labels, _compared.sides[0].seeds[0])
