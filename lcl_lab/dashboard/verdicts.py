"""Whether an answer is right, always with the rule that says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from lcl_lab import studies
from lcl_lab.analysis import MAIN_METRICS, METRICS
from lcl_lab.dashboard.run_index import Source, SourceState
from lcl_lab.errors import UserError
from lcl_lab.prompts import ASK, WHERE
from lcl_lab.studies.run_setting import grading_rule

__all__ = ["MARKS", "Verdict", "open_rule", "verdicts"]

MARKS = {True: "✓", False: "✗", None: "–"}
_OPEN_RULES = {
    "strict": "the true name as whole words, not negated, and no other name",
    "paper": "the true name is in the answer, and no other name is in the rest",
    "release": "the true name is in the answer, by the rule of the published code",
}
_CANDIDATE = "the highest log-likelihood per token"


@dataclass(frozen=True)
class Verdict:
    """Whether an answer is right under one metric.

    Attributes:
        metric: the metric.
        right: whether it is right; None if that is not known.
        name: the rule in a few words, such as ``"open-ended, strict"``.
        rule: what the rule asks for.
    """

    metric: str
    right: bool | None
    name: str
    rule: str

    @property
    def text(self) -> str:
        """The mark and the rule in a few words."""
        return f"{MARKS[self.right]} {self.name}"


def verdicts(record: Mapping[str, Any], rule: str | None) -> dict[str, Verdict]:
    """The verdict under each main metric that a record has one for.

    Args:
        record: an answer.
        rule: the rule of its run for answers to episodes; see `open_rule`.
    """
    named = {"candidate": ("candidate", _CANDIDATE), "open-ended": _open_ended(record, rule)}
    return {
        metric: Verdict(metric, record[METRICS[metric]], *named[metric])
        for metric in MAIN_METRICS
        if record[METRICS[metric]] is not None
    }


@st.cache_data(max_entries=256, show_spinner=False)
def open_rule(state: SourceState, _source: Source) -> str | None:
    """The rule by which a run grades generated answers to episodes; None if it is not known."""
    try:
        return grading_rule(studies.stored_config(studies.find_study(_source.run.study), _source.run))
    except UserError:  # a study of somebody else
        return None


def _open_ended(record: Mapping[str, Any], rule: str | None) -> tuple[str, str]:
    """The rule of a generated answer in a few words, and what it asks for."""
    is_episode = record["correct_strict"] is not None
    if record["data"] == "arithmetic":
        return "first number", "the first number in the answer is the result"
    if not is_episode and record["data"] == "VQAv2":
        return "VQA accuracy ≥ ½", "at least two of ten annotators gave this answer"
    if not is_episode and record["question"] == WHERE:
        return "box, IoU ≥ ½", "a box whose intersection over union with the true one is at least one half"
    if not is_episode and record["question"] in ASK.values():
        return "same words", "the same words as the true answer"
    if rule is None:
        return "open-ended", "the rule of the study"
    return f"open-ended, {rule}", _OPEN_RULES[rule]
