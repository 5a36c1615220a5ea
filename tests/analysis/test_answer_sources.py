from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from lcl_lab.analysis import RATES, answer_rates, copying, prior_agreement
from lcl_lab.errors import UserError

KINDS = ("true", "other", "neither")
PAIRS = np.repeat(np.arange(20), 10)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def drawn(seed: int, kinds: tuple[str, ...] = KINDS) -> np.ndarray:
    return np.random.default_rng(seed).choice(kinds, len(PAIRS))


@pytest.mark.parametrize(
    ("intact", "flipped", "rate"),
    [
        ("true", "other", "link"),
        ("true", "true", "stubborn"),
        ("other", "true", "label-only"),
        ("other", "neither", "label-only"),
        ("neither", "true", "label-only"),
        ("other", "other", "inert-wrong"),
        ("neither", "neither", "inert-wrong"),
        ("true", "neither", "unsettled"),
    ],
)
def test_every_answer_has_one_rate(intact: str, flipped: str, rate: str) -> None:
    rates = answer_rates([intact] * 20, [flipped] * 20, np.arange(20), rng())
    assert {name: one.estimate for name, one in rates.items()} == {name: float(name == rate) for name in RATES}


@pytest.mark.parametrize("seed", range(3))
def test_rates_sum_to_one_and_their_difference_is_the_change_in_accuracy(seed: int) -> None:
    intact, flipped = drawn(seed), drawn(seed + 10)
    rates = answer_rates(intact, flipped, PAIRS, rng())
    assert sum(one.estimate for one in rates.values()) == pytest.approx(1)
    assert all(one.low <= one.estimate <= one.high for one in rates.values())
    two = [np.where(values == "neither", "other", values) for values in (intact, flipped)]
    rates = answer_rates(*two, PAIRS, rng())
    change = (two[0] == "true").mean() - (two[1] == "true").mean()
    assert rates["link"].estimate - rates["label-only"].estimate == pytest.approx(change)


@pytest.mark.parametrize("seed", range(3))
def test_agreement_is_cohens_kappa(seed: int) -> None:
    a = drawn(seed)
    b = np.where(np.random.default_rng(seed).random(len(a)) < 0.5, a, drawn(seed + 20))
    found = prior_agreement(a, b, PAIRS, rng())
    assert found.estimate == pytest.approx(cohen_kappa_score(a, b))
    assert found.low < found.estimate < found.high


def test_equal_answers_agree_and_independent_ones_do_not() -> None:
    same = prior_agreement(drawn(0), drawn(0), PAIRS, rng())
    assert same.estimate == same.high == 1
    assert 0.5 < same.low < 1, "equal answers of few pairs do not show that all would be equal"
    independent = prior_agreement(drawn(0), drawn(1), PAIRS, rng())
    assert independent.low < 0 < independent.high


@pytest.mark.parametrize("constant", [0, 1])
def test_agreement_with_answers_that_are_all_the_same_is_undefined(constant: int) -> None:
    sides = [drawn(0), np.full(len(PAIRS), "neither")]
    with pytest.raises(UserError, match="all answers of one side are the same"):
        prior_agreement(sides[constant], sides[1 - constant], PAIRS, rng())


def test_the_rule_that_is_followed_has_the_largest_coefficient() -> None:
    rules = {f"rule {k}": drawn(k, ("true", "other")) for k in range(3)}
    found = copying(rules["rule 1"], rules, PAIRS)
    assert found["rule 1"].low > 1
    assert all(found[name].low < 0.5 and found[name].high > -0.5 for name in ("prior", "rule 0", "rule 2"))
    assert np.isfinite([found[name].high for name in found]).all()


def test_answers_against_a_rule_have_a_negative_coefficient_and_prior_knowledge_is_the_intercept() -> None:
    rules = {"rule": drawn(0, ("true", "other"))}
    against = np.where(rules["rule"] == "true", "other", "true")
    assert copying(against, rules, PAIRS)["rule"].high < -1
    always = copying(np.full(len(PAIRS), "true"), rules, PAIRS)
    assert always["prior"].low > 1
    assert always["rule"].low < 0 < always["rule"].high


def test_answers_with_neither_name_are_left_out() -> None:
    rules = {"rule": drawn(0)}
    choices = drawn(1)
    found = copying(choices, rules, PAIRS)
    names_one = choices != "neither"
    assert found["rule"].n == int(names_one.sum())
    only = copying(choices[names_one], {"rule": rules["rule"][names_one]}, PAIRS[names_one])
    assert found["rule"] == only["rule"]


def test_too_few_answers_are_refused() -> None:
    with pytest.raises(UserError, match="too few for a regression"):
        copying(["true", "other"], {"rule": ["true", "true"]}, [0, 1])
    with pytest.raises(UserError, match="of 1 clusters are too few"):
        copying(drawn(0), {"rule": drawn(1)}, np.zeros(len(PAIRS)))
