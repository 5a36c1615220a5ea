from __future__ import annotations

import unicodedata

import pytest

from lcl_lab.concepts import load_dataset
from lcl_lab.episodes import RULES, OpenRule, default_rule, is_correct_candidate, is_correct_open


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    ("answer", "correct"),
    [
        ("cactihog", True),
        ('There is "cactihog" in the image.', True),
        ("cactus", False),
        ("a cactihog or a cactus", False),
        ("a dog", False),
        ("", False),
    ],
)
def test_the_true_name_alone_is_correct(answer: str, correct: bool, rule: OpenRule) -> None:
    assert is_correct_open(answer, "cactihog", "cactus", rule) is correct


@pytest.mark.parametrize(
    ("answer", "true_name", "other_name", "strict", "paper", "release"),
    [
        # Names within names.
        ("dog face", "dog", "dog face", False, True, True),
        ("skull and crossbones", "skull", "skull and crossbones", False, True, True),
        ("a sea lion", "lion", "sea lion", False, True, True),
        ("a sea lion", "sea lion", "lion", True, True, True),
        ("a sea lion and a lion", "sea lion", "lion", False, False, False),
        ("a seahorse", "seahorse", "horse", True, True, True),
        ("a seahorse and a horse", "seahorse", "horse", False, False, False),
        # Names within words.
        ("a red lamp", "a", "kqz", False, True, True),
        ('this is "a".', "a", "kqz", True, True, True),
        ('there is "a" in the image', "a", "kqz", True, True, True),
        ("one red lamp", "a", "kqz", False, True, True),
        ("cathedral", "cat", "dog", False, True, True),
        ("a cat, no dogma", "cat", "dog", True, False, False),
        # Letter case, and forms of one text.
        ("Octovac", "octovac", "cow", True, True, False),
        ("octovac", "Octovac", "cow", True, True, True),
        (unicodedata.normalize("NFD", "café"), unicodedata.normalize("NFC", "café"), "bar", True, False, False),
        ("a German-Shepherd", "german shepherd", "wolf", True, False, False),
        ("jack-o’-lantern", "jack-o'-lantern", "pumpkin", True, False, False),
        ("jack-o-lantern", "jack-o'-lantern", "pumpkin", False, False, True),
        # Negations.
        ("It is not a wug", "wug", "dax", False, True, True),
        ("It isn't really a wug.", "wug", "dax", False, True, True),
        ("a wug, not a dax", "wug", "dax", True, False, False),
        ("It is not a dax; it is a wug", "wug", "dax", True, False, False),
        ("There is no doubt, it is a wug", "wug", "dax", True, True, True),
    ],
)
def test_the_rules_differ(
    answer: str, true_name: str, other_name: str, strict: bool, paper: bool, release: bool
) -> None:
    expected = {"strict": strict, "paper": paper, "release": release}
    assert {rule: is_correct_open(answer, true_name, other_name, rule) for rule in RULES} == expected


def test_real_names_are_graded_strictly() -> None:
    class Photos:
        pass

    assert default_rule(load_dataset("world-100")) == "paper"
    assert default_rule(Photos()) == "strict"  # type: ignore[arg-type]


def test_the_more_likely_candidate_is_the_answer_and_a_tie_is_none() -> None:
    assert is_correct_candidate(-1.0, -2.0)
    assert not is_correct_candidate(-2.0, -1.0)
    assert not is_correct_candidate(-1.0, -1.0)
