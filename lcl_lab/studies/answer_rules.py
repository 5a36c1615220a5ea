"""Names the rule that judged an answer, so that ✓ and ✗ never stand alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from lcl_lab.prompts import ASK, WHERE

if TYPE_CHECKING:
    from lcl_lab.episodes import OpenRule

__all__ = ["CANDIDATE_RULE", "AnswerRule", "open_ended_rule"]


class AnswerRule(NamedTuple):
    """A rule by which an answer is right.

    Attributes:
        name: in a few words, such as ``"open-ended, strict"``.
        meaning: what the rule asks for.
    """

    name: str
    meaning: str


CANDIDATE_RULE = AnswerRule("candidate", "the true name has the highest log-likelihood per token")
_EPISODES: Mapping[str, str] = {
    "strict": "the true name as whole words, not negated, and no other name",
    "paper": "the true name is in the answer, and no other name is in the rest",
    "release": "the true name is in the answer, by the rule of the published code",
}
_FIRST_NUMBER = AnswerRule("first number", "the first number in the answer is the result")
_VQA = AnswerRule("VQA accuracy ≥ ½", "at least two of ten annotators gave this answer")
_BOX = AnswerRule("box, IoU ≥ ½", "a box whose intersection over union with the true one is at least one half")
_WORDS = AnswerRule("same words", "the same words as the true answer")


def open_ended_rule(record: Mapping[str, Any], rule: OpenRule | None) -> AnswerRule:
    """The rule that judged the generated text of a record.

    Args:
        record: an answer to an episode or to another question.
        rule: the rule of its run for answers to episodes; None if it is not known.
    """
    if record["data"] == "arithmetic":
        return _FIRST_NUMBER
    if record["correct_strict"] is None:  # no episode
        if record["data"] == "VQAv2":
            return _VQA
        if record["question"] == WHERE:
            return _BOX
        if record["question"] in ASK.values():
            return _WORDS
    return AnswerRule(f"open-ended, {rule}", _EPISODES[rule]) if rule else AnswerRule("open-ended", "the study's rule")
