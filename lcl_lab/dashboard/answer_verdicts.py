"""Whether an answer is right, always with the rule that says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from lcl_lab import studies
from lcl_lab.analysis import MAIN_METRICS, METRICS
from lcl_lab.dashboard.run_index import Source, SourceState
from lcl_lab.errors import UserError
from lcl_lab.studies.answer_rules import CANDIDATE_RULE, AnswerRule, open_ended_rule
from lcl_lab.studies.run_setting import grading_rule

if TYPE_CHECKING:
    from lcl_lab.episodes import OpenRule

__all__ = ["MARKS", "Verdict", "open_rule", "verdicts"]

MARKS = {True: "✓", False: "✗"}


@dataclass(frozen=True)
class Verdict:
    """Whether an answer is right.

    Attributes:
        right: whether it is right.
        rule: by which rule.
    """

    right: bool
    rule: AnswerRule

    @property
    def text(self) -> str:
        """The mark and the name of the rule."""
        return f"{MARKS[self.right]} {self.rule.name}"


def verdicts(record: Mapping[str, Any], rule: OpenRule | None) -> dict[str, Verdict]:
    """The verdict under each main metric that a record has one for.

    Args:
        record: an answer.
        rule: the rule of its run for answers to episodes; see `open_rule`.
    """
    rules = {"candidate": CANDIDATE_RULE, "open-ended": open_ended_rule(record, rule)}
    known = [metric for metric in MAIN_METRICS if record[METRICS[metric]] is not None]
    return {metric: Verdict(bool(record[METRICS[metric]]), rules[metric]) for metric in known}


@st.cache_data(max_entries=256, show_spinner=False)
def open_rule(state: SourceState, _source: Source) -> OpenRule | None:
    """The rule by which a run grades generated answers to episodes; None if it is not known."""
    try:
        return grading_rule(studies.stored_config(studies.find_study(_source.run.study), _source.run))
    except UserError:  # a study of somebody else
        return None
