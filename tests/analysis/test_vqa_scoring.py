"""Expected values are those of the organisers' script, `vqaEval.py`, and of `vqav2/utils.py` of lmms-eval."""

from __future__ import annotations

import pytest

from lcl_lab.analysis.vqa_scoring import VQAVariant, normalise, vqa_accuracy

NORMALISED = {
    "The Red Car.": "red car",
    "two dogs": "2 dogs",
    "none": "0",
    "ten-ten": "10 10",
    "the a an": "",
    "1,000": "1000",
    "1,000,000 (about)": "1000000 about",
    "1,,000": "1 000",
    "3.5 feet": "3.5 feet",
    ".5": ".5",
    "2.": "2",
    "2. dogs": "2 dogs",
    "a.m.": "am",
    "U.S.": "us",
    f"x{'.' * 40}y": "x........y",
    "yes!": "yes",
    "what ? now": "what now",
    "one, two": "1 2",
    "black/white": "black white",
    "a/b /c": "ab c",
    "t-shirt": "t shirt",
    "t -shirt": "t shirt",
    "St. John's": "st john's",
    "dont know": "don't know",
    "shed've": "she'd've",
    "couldn'tve": "couldn't've",
    "'ows'at": "'ow's'at",
    "somebody'd": "somebodyd",
    "I'm": "i'm",
    "im": "im",
    "Ive": "ive",
    "hell": "hell",
}


@pytest.mark.parametrize(
    ("said", "agreeing", "expected"),
    [("red", 0, 0.0), ("red", 1, 0.3), ("red", 2, 0.6), ("red", 3, 0.9), ("red", 4, 1.0), ("red", 10, 1.0)],
)
def test_accuracy_is_the_mean_over_annotators_left_out(said: str, agreeing: int, expected: float) -> None:
    # One who agrees with n − 1 others: left out, n − 1 of 9 remain; another left out, n remain (the published table).
    given = ["red"] * agreeing + ["blue"] * (10 - agreeing)
    assert vqa_accuracy(said, given) == pytest.approx(expected)


@pytest.mark.parametrize("text", NORMALISED)
def test_answers_are_normalised(text: str) -> None:
    assert normalise(text) == NORMALISED[text]
    assert normalise(text, "lmms-eval") == ("1000" if text == "1,,000" else NORMALISED[text])


@pytest.mark.parametrize(
    ("answer", "references", "official", "lmms_eval"),
    [
        ("2.", ["2"] * 10, 0.0, 1.0),
        ("the cat", ["The cat"] * 10, 0.0, 1.0),
        ("the cat", ["The cat"] * 9 + ["dog"], 1.0, 1.0),
        ("2.", ["2"] * 7 + ["3"] * 3, 1.0, 1.0),
        ("1,,000", ["1000"] * 5 + ["2"] * 5, 0.0, 1.0),
    ],
)
def test_only_the_official_script_keeps_texts_on_which_all_agree(
    answer: str, references: list[str], official: float, lmms_eval: float
) -> None:
    variants: dict[VQAVariant, float] = {"official": official, "lmms-eval": lmms_eval}
    for variant, expected in variants.items():
        assert vqa_accuracy(answer, references, variant) == pytest.approx(expected)
