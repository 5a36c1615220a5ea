"""What a run evaluated and how it was graded, as far as its methods paragraph names it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Setting"]


@dataclass(frozen=True)
class Setting:
    """What was evaluated.

    Attributes:
        models: the fingerprint of each model by its name; None where it is not known.
        data: the fingerprint of each dataset by its name; None where it is not known.
        seeds: the random seeds of the study.
        answers: the number of answers that the findings are from.
        queries: the smallest and the largest number of queries of a model under a condition.
        clusters: the number of clusters, such as concept pairs.
        units: what clusters are called.
        grading: the rule that graded generated answers to episodes; None where there are no episodes.
        has_questions: whether there are questions that are no episodes, each graded by a rule of its own.
        ties: whether a model found the true name and another candidate equally likely for some query.
        has_several: whether queries have more than two candidates.
        margins: the options of the study that are margins: what each is of, and its value.
        version: the version of LCL Lab that analysed the answers.
    """

    models: Mapping[str, str | None]
    data: Mapping[str, str | None]
    seeds: tuple[int, ...]
    answers: int
    queries: tuple[int, int]
    clusters: int
    units: str = "concept pairs"
    grading: str | None = None
    has_questions: bool = False
    ties: bool = False
    has_several: bool = False
    margins: Mapping[str, float] = field(default_factory=dict)
    version: str = ""
