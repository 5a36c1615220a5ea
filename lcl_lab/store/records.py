"""A record: a model's graded answer to one query under one condition."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import TypeAlias

__all__ = ["ADDED", "FIXED", "RESERVED", "Record", "SupportExample", "check_columns", "check_condition"]

RESERVED = ("run", "filename")
"""Columns that the `records` view adds."""
Float32: TypeAlias = float
"""A number that is stored with 32 bits."""
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # halves of surrogates stand for bytes that are not UTF-8


@dataclass(frozen=True, slots=True)
class SupportExample:
    """One example of a support, as stored in a record.

    Attributes:
        image: the image reference as text.
        label: the name that the prompt showed.
        true_label: the name of the image's concept.
        false: whether the two differ.
    """

    image: str
    label: str
    true_label: str
    false: bool


def check_columns(condition: Iterable[str]) -> None:
    """Refuse condition columns that other columns of a record are named like.

    Raises:
        ValueError: a name is empty, is that of another column, occurs twice, or cannot be stored.
    """
    taken = {*FIXED, *RESERVED}
    for name in condition:
        if not _is_storable(name):
            raise ValueError(f"condition column {name!r} must be valid Unicode without NUL")
        # Column names in SQL are not case-sensitive.
        if not name or name.casefold() in taken:
            raise ValueError(f"condition column {name!r} clashes with another column of the record")
        taken.add(name.casefold())


def check_condition(values: Mapping[str, object]) -> None:
    """Refuse the values of a condition that records cannot store; see `check_columns` for its names.

    Raises:
        ValueError: a name is wrong, or a value is neither a number nor text.
    """
    check_columns(values)
    for name, value in values.items():
        if isinstance(value, Integral):
            is_valid = -(2**63) <= int(value) < 2**63
        else:
            is_valid = value is None or isinstance(value, Real) or (isinstance(value, str) and _is_storable(value))
        if not is_valid:
            raise ValueError(f"condition column {name!r} must have a number of 64 bits or text, not {value!r}")


def _is_storable(text: str) -> bool:
    return _UNSTORABLE.search(text) is None


@dataclass(frozen=True, slots=True)
class Record:
    """A model's graded answer to one query under one condition. It suffices to pair two runs and to show the dialogue.

    Attributes:
        study: the name of the study.
        model: the name of the model.
        data: the name of the dataset.
        seed: the study seed.
        query_id: the number of the query in the study.
        support_id: the number of the support; queries that share a support have the same.
        pair: the two concepts, which are the cluster for statistics.
        condition: values by name; each becomes a column.
        episode_id: the same for equal episodes.
        support: K examples in the order shown.
        query_image: the reference of the query image as text.
        question: the text of the last turn.
        true_name: the correct answer.
        other_name: the wrong candidate; of several, the name of the pair's other concept.
        answer: the generated text.
        loglik_true: the log-likelihood of the true name in nats, summed over its tokens; None if the model has none.
        loglik_other: the same for the other name; of several, for the one with the highest mean per token.
        tokens_true: the number of tokens of the true name.
        tokens_other: the number of tokens of the name of `loglik_other`.
        score: the grade of the answer from 0 to 1; always 0 or 1 except for graded questions such as VQAv2's; None if
            the answer is not known.
        correct_open: whether the score is at least one half; None if the answer is not known.
        correct_candidate: whether the true name has the highest log-likelihood per token.
        correct_candidate_raw: whether the true name has the highest total log-likelihood.
        seconds: the time that the model took for this record.
        status: what became of the request for the answer; only an answer that is "ok" has a score.
        cut_off: whether the answer was cut off at the maximum number of tokens.
        thinking: what the model wrote before its answer.
        correct_strict: whether the answer to an episode is correct by this rule (see `is_correct_open`); None for other
            questions and where the answer is not known.
        correct_paper: the same by the paper's rule.
        correct_release: the same by the rule of the published code.
        measurement: an additional number for this prompt, such as a head's attention score; None if there is none.
        other_names: all wrong candidates, where there are several; None for two candidates.
        loglik_others: their log-likelihoods in nats, each summed over its tokens.
        tokens_others: their numbers of tokens.
        loglik_true_grey: the log-likelihood of the true name with a grey image as the query, in nats and summed over
            its tokens as `loglik_true`; None, as the next ones, unless the run calibrates.
        loglik_other_grey: the same for the other name.
        loglik_true_black: the log-likelihood of the true name with a black image as the query.
        loglik_other_black: the same for the other name.
        loglik_true_white: the log-likelihood of the true name with a white image as the query.
        loglik_other_white: the same for the other name.
        loglik_true_noise: the log-likelihood of the true name with noise as the query.
        loglik_other_noise: the same for the other name.
        prompt_tokens: number of tokens of the prompt, with those of its images; None where it is not known.
        nearest: which image of the support is most similar to the query image, counted from 1, by the features that the
            model compares; None where it compares none, or several are equally similar.
        token_logliks: the log-likelihood of each token of each candidate in nats, of the true name and then of the
            wrong candidates in their order; None where they are not known.
        token_texts: the texts of these tokens.

    Raises:
        ValueError: a name in `condition` is empty or clashes with another column.
    """

    study: str
    model: str
    data: str
    seed: int
    query_id: int
    support_id: int
    pair: str
    condition: Mapping[str, int | float | str | None]
    episode_id: str
    support: tuple[SupportExample, ...]
    query_image: str
    question: str
    true_name: str
    other_name: str
    answer: str
    loglik_true: float | None
    loglik_other: float | None
    tokens_true: int | None
    tokens_other: int | None
    score: float | None
    correct_open: bool | None
    correct_candidate: bool | None
    correct_candidate_raw: bool | None
    seconds: float
    status: str = "ok"
    cut_off: bool = False
    thinking: str = ""
    correct_strict: bool | None = None
    correct_paper: bool | None = None
    correct_release: bool | None = None
    measurement: float | None = None
    other_names: tuple[str, ...] | None = None
    loglik_others: tuple[float, ...] | None = None
    tokens_others: tuple[int, ...] | None = None
    loglik_true_grey: float | None = None
    loglik_other_grey: float | None = None
    loglik_true_black: float | None = None
    loglik_other_black: float | None = None
    loglik_true_white: float | None = None
    loglik_other_white: float | None = None
    loglik_true_noise: float | None = None
    loglik_other_noise: float | None = None
    prompt_tokens: int | None = None
    nearest: int | None = None
    token_logliks: tuple[tuple[Float32, ...], ...] | None = None
    token_texts: tuple[tuple[str, ...], ...] | None = None

    def __post_init__(self) -> None:
        check_columns(self.condition)


FIXED: tuple[str, ...] = tuple(field.name for field in fields(Record) if field.name != "condition")
"""The columns that every record has, in the order in which they are stored."""

ADDED: Mapping[str, str] = {
    "status": "'ok'",
    "cut_off": "false",
    "thinking": "''",
    "correct_strict": "NULL::BOOLEAN",
    "correct_paper": "NULL::BOOLEAN",
    "correct_release": "NULL::BOOLEAN",
    "measurement": "NULL::DOUBLE",
    "other_names": "NULL::VARCHAR[]",
    "loglik_others": "NULL::DOUBLE[]",
    "tokens_others": "NULL::BIGINT[]",
    "loglik_true_grey": "NULL::DOUBLE",
    "loglik_other_grey": "NULL::DOUBLE",
    "loglik_true_black": "NULL::DOUBLE",
    "loglik_other_black": "NULL::DOUBLE",
    "loglik_true_white": "NULL::DOUBLE",
    "loglik_other_white": "NULL::DOUBLE",
    "loglik_true_noise": "NULL::DOUBLE",
    "loglik_other_noise": "NULL::DOUBLE",
    "prompt_tokens": "NULL::BIGINT",
    "nearest": "NULL::BIGINT",
    "token_logliks": "NULL::FLOAT[][]",
    "token_texts": "NULL::VARCHAR[][]",
}
"""SQL of the value that columns have in records of versions before they were added."""
