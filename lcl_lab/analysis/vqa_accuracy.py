"""The accuracy of VQAv2, as its organisers compute it (Antol et al. 2015; Goyal et al. 2017)."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["normalise", "vqa_accuracy"]

_AGREE = 3  # annotators who make an answer fully right
_NUMBERS = "none zero one two three four five six seven eight nine ten".split()
_DIGITS = {"none": "0"} | {word: str(number) for number, word in enumerate(_NUMBERS[1:])}
_ARTICLES = {"a", "an", "the"}
_CONTRACTIONS = (
    "ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd "
    "he'd've he's how'd how'll how's i'd've i'm i've isn't it'd it'd've it'll let's ma'am mightn't mightn't've "
    "might've mustn't must've needn't not've o'clock oughtn't 'ow's'at shan't she'd've should've shouldn't "
    "shouldn't've somebody'd somebody'd've somebody'll somebody's someone'd someone'd've someone'll someone's "
    "something'd something'd've something'll that's there'd there'd've there're there's they'd they'd've they'll "
    "they're they've 'twas wasn't we'd've we've weren't what'll what're what's what've when's where'd where's "
    "where've who'd who'd've who'll who's who've why'll why're why's won't would've wouldn't wouldn't've y'all "
    "y'all'll y'all'd've you'd you'd've you'll you're you've"
).split()
_SPELLED = {contraction.replace("'", ""): contraction for contraction in _CONTRACTIONS}
_MARKS = ';/[]"{}()=+\\_-><@`,?!'


def vqa_accuracy(answer: str, given: Sequence[str]) -> float:
    """How right an answer is, from 0 to 1: over the ten ways to leave one annotator out, the mean of
    min(how many of the others gave it / 3, 1). Texts are normalised unless all annotators agree to the letter.
    """
    said, known = _clean(answer), [_clean(one) for one in given]
    if len(set(known)) > 1:
        said, known = normalise(said), [normalise(one) for one in known]
    matches = [one == said for one in known]
    return sum(min((sum(matches) - own) / _AGREE, 1.0) for own in matches) / len(matches)


def normalise(text: str) -> str:
    """Without marks and articles, in lower case, numbers up to ten as digits, contractions with their apostrophe."""
    for mark in _MARKS:
        beside_a_space = f"{mark} " in text or f" {mark}" in text
        in_a_number = re.search(r"\d,\d", text) is not None
        text = text.replace(mark, "" if beside_a_space or in_a_number else " ")
    text = re.sub(r"(?<!\d)\.(?!\d)", "", text)
    words = [_DIGITS.get(word, word) for word in text.lower().split()]
    return " ".join(_SPELLED.get(word, word) for word in words if word not in _ARTICLES)


def _clean(text: str) -> str:
    return text.replace("\n", " ").replace("\t", " ").strip()
