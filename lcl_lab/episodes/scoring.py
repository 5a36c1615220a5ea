"""The rules that grade an answer: three for generated text, and one for log-likelihoods (paper section 4)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from lcl_lab import concepts

if TYPE_CHECKING:
    from lcl_lab.concepts import Dataset

__all__ = ["RULES", "OpenRule", "default_rule", "is_correct_candidate", "is_correct_open"]

OpenRule = Literal["strict", "paper", "release"]

_NEGATION = r"(?:not|no|never|neither|nor|without|isn't|aren't|wasn't|weren't|doesn't|don't|can't|cannot)"
_ARTICLES = {"a", "an", "the"}
_NEGATED = re.compile(rf"\b{_NEGATION}(?: \w+){{0,3}} $")
"""A negation up to three words in front of a name, in the same clause."""


def is_correct_open(answer: str, true_name: str, other_name: str | Sequence[str], rule: OpenRule = "strict") -> bool:
    """Grade generated text. An answer that names none is wrong, so a model may score below chance.

    Args:
        answer: the generated text.
        true_name: the correct name.
        other_name: the name of the other concept, or the names of all others.
        rule: one of

            - ``strict``: the true name must occur as whole words, not negated, and no other name may. Where names
              overlap, the longer one was said. Letter case, hyphens and Unicode composition do not matter.
            - ``paper``: the true name must be a substring, and no other name may be one of the rest. Letter case does
              not matter.
            - ``release``: as the published code computes it: as ``paper``, but the lower-case names are searched in
              the answer as it is, and quotation marks and full stops are removed from the true name.
    """
    return RULES[rule](answer, true_name, (other_name,) if isinstance(other_name, str) else tuple(other_name))


def default_rule(dataset: Dataset | None) -> OpenRule:
    """``paper`` for the embedded worlds, whose invented names are no words; ``strict`` for all others."""
    return "paper" if isinstance(dataset, concepts.World) else "strict"


def is_correct_candidate(loglik_true: float, *logliks_other: float) -> bool:
    """Grade log-likelihoods of the names: that of the true name must be the highest one; a tie is wrong."""
    return all(loglik_true > other for other in logliks_other)


def _strict(answer: str, true_name: str, other_names: Sequence[str]) -> bool:
    text, true, others = _words(answer), _words(true_name), map(_words, other_names)
    names = "|".join(map(_pattern, sorted((true, *others), key=len, reverse=True)))
    named = {
        match.group()
        for match in re.finditer(rf"(?<!\w)(?:{names})(?!\w)", text)
        if not _NEGATED.search(text[: match.start()])
    }
    return named == {true}


def _pattern(name: str) -> str:
    """Matches a name; one that is an article only where no word follows, as in 'this is "a"'."""
    return rf"{re.escape(name)}(?! \w)" if name in _ARTICLES else re.escape(name)


def _paper(answer: str, true_name: str, other_names: Sequence[str]) -> bool:
    return _only_true(answer.lower(), true_name.lower(), other_names)


def _release(answer: str, true_name: str, other_names: Sequence[str]) -> bool:
    target = true_name
    for removed in ("The answer is", "there is", "in the image", '"', "'", "."):
        target = target.replace(removed, "")
    return _only_true(answer, target.strip().lower(), other_names)


def _only_true(text: str, true: str, other_names: Sequence[str]) -> bool:
    rest = text.replace(true, "")
    return true in text and not any(other.lower() in rest for other in other_names)


def _words(text: str) -> str:
    """Text in one Unicode form and letter case, with one space in place of white space, hyphens and underscores."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    return " ".join(re.sub(r"[\s_\-‐‑–]+", " ", folded.replace("’", "'")).split())


RULES: Mapping[OpenRule, Callable[[str, str, Sequence[str]], bool]] = {
    "strict": _strict,
    "paper": _paper,
    "release": _release,
}
"""The rules by name: functions of the answer, the true name and all others. Records have the verdict of each."""
