from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from statsmodels.regression.mixed_linear_model import MixedLM

from lcl_lab.analysis import DesignSize, VarianceShares, components, order_and_draw, seeds, variance_shares
from lcl_lab.errors import UserError

DEVIATIONS = {
    "concept pair": 0.2,
    "query": 0.3,
    "support draw": 0.2,
    "training": 0.05,
    "training × concept pair": 0.1,
    "training × query": 0.1,
    "residual": 0.2,
}
NO_EFFECT = {**DEVIATIONS, "concept pair": 0.0, "support draw": 0.0, "training": 0.0, "training × concept pair": 0.0}


def simulated(rng: np.random.Generator, size: DesignSize, deviations: Mapping[str, float]) -> NDArray[np.float64]:
    """(R, C, n, S) outcomes with normal effects of every source."""
    shape = (size.trainings, size.pairs, int(size.queries), size.draws)
    axes = {
        "concept pair": (1,),
        "query": (1, 2),
        "support draw": (1, 2, 3),
        "training": (0,),
        "training × concept pair": (0, 1),
        "training × query": (0, 1, 2),
        "residual": (0, 1, 2, 3),
    }
    effects = [
        rng.normal(0, deviations[source], [shape[axis] if axis in used else 1 for axis in range(4)])
        for source, used in axes.items()
    ]
    return sum(effects[1:], effects[0])


def estimated(outcomes: NDArray[np.float64]) -> VarianceShares:
    trainings, _, queries, draws = outcomes.shape
    training, pair, query, draw = (index.ravel() for index in np.indices(outcomes.shape))
    frame = pd.DataFrame({"model": training, "pair": pair, "query_id": pair * queries + query, "number": draw})
    return variance_shares(
        frame.assign(value=outcomes.ravel()),
        "value",
        draw="number" if draws > 1 else None,
        training="model" if trainings > 1 else None,
    )


def truth(size: DesignSize, deviations: Mapping[str, float]) -> dict[str, float]:
    """The variances that a design can show: those of factors that it has once are part of others."""
    variances = {source: deviation**2 for source, deviation in deviations.items()}
    if size.draws == 1:
        variances["query"] += variances["support draw"]
        variances["residual"] += variances["training × query"]
    if size.trainings == 1:
        variances["concept pair"] += variances["training × concept pair"]
        variances["query"] += variances["residual" if size.draws == 1 else "training × query"]
        variances["support draw"] += variances["residual"]
    return variances


@pytest.mark.slow
@pytest.mark.parametrize("deviations", [DEVIATIONS, NO_EFFECT], ids=["all", "some are 0"])
@pytest.mark.parametrize(
    ("pairs", "queries", "draws", "trainings"), [(12, 2, 1, 1), (40, 4, 3, 1), (12, 4, 1, 3), (40, 3, 3, 3)]
)
def test_components_are_recovered_with_nominal_coverage(
    pairs: int, queries: int, draws: int, trainings: int, deviations: Mapping[str, float]
) -> None:
    size = DesignSize(pairs, queries, draws, trainings)
    expected = truth(size, deviations)
    rng = np.random.default_rng([1, pairs, queries, draws, trainings])
    results = [estimated(simulated(rng, size, deviations)).components for _ in range(400)]
    for found in zip(*results, strict=True):
        variance = expected[found[0].source]
        assert np.mean([one.low <= variance <= one.high for one in found]) >= 0.925, found[0].source
        assert np.mean([one.variance for one in found]) == pytest.approx(
            variance, rel=0.6, abs=0.02
        )  # negative ones become 0


@pytest.mark.slow
@pytest.mark.parametrize(("draws", "low", "high"), [(1, 0.5, 0.5), (3, 0.2, 0.9), (3, 0.85, 0.85)])
def test_components_of_0_1_outcomes_have_nominal_coverage(draws: int, low: float, high: float) -> None:
    """Pairs have a chance between `low` and `high`; all queries of a pair, and all of their draws, have that one."""
    rng = np.random.default_rng([2, draws])
    between, within = (high - low) ** 2 / 12, (low + high) / 2 - (high**2 + high * low + low**2) / 3
    inside: dict[str, list[bool]] = {}
    for _ in range(400):
        chance = rng.uniform(low, high, 20)[None, :, None, None]
        result = estimated((rng.random((1, 20, 4, draws)) < chance).astype(float))
        expected = {"concept pair": between, "query": within if draws == 1 else 0.0, "support draw": within}
        for one in result.components:
            covers = one.low - 1e-12 <= expected[one.source] <= one.high
            inside.setdefault(one.source, []).append(covers)
    assert all(np.mean(covers) >= 0.925 for covers in inside.values())


def test_components_are_those_of_restricted_maximum_likelihood() -> None:
    """In a balanced design both agree where no estimate is negative (Searle et al. 1992)."""
    size = DesignSize(30, 4, 3)
    outcomes = simulated(np.random.default_rng(3), size, {**DEVIATIONS, "concept pair": 0.4})
    result = {one.source: one.variance for one in estimated(outcomes).components}
    _, pair, query, _ = (index.ravel() for index in np.indices(outcomes.shape))
    nested = {"query": "0 + C(query)"}
    frame = pd.DataFrame({"value": outcomes.ravel(), "pair": pair, "query": query})
    fit = MixedLM.from_formula("value ~ 1", frame, groups="pair", re_formula="1", vc_formula=nested).fit(reml=True)
    assert result["concept pair"] == pytest.approx(float(fit.cov_re.iloc[0, 0]), rel=0.02)
    assert result["query"] == pytest.approx(float(fit.vcomp[0]), rel=0.02)
    assert result["support draw"] == pytest.approx(float(fit.scale), rel=0.02)


def test_they_agree_with_the_other_estimators_of_the_package() -> None:
    rng = np.random.default_rng(4)
    outcomes = (rng.random((3, 20, 4, 1)) < rng.uniform(0.4, 0.9, (3, 20, 1, 1))).astype(float)
    means = outcomes.mean(axis=(2, 3))
    training = next(one for one in estimated(outcomes).components if one.source == "training")
    assert training.variance == pytest.approx(components(means).repetition)
    assert training.high**0.5 == pytest.approx(seeds(means).between_seeds_high, rel=0.05)
    drawn = (rng.random((1, 20, 4, 3)) < rng.uniform(0.4, 0.9, (1, 20, 4, 1))).astype(float)
    table, pairs = drawn.reshape(80, 3), np.repeat(np.arange(20), 4)
    draw = next(one for one in estimated(drawn).components if one.source == "support draw")
    other = order_and_draw(table, table, pairs)
    assert (draw.variance, draw.low, draw.high) == pytest.approx((other.draw**2, other.draw_low**2, other.draw_high**2))


def test_the_implied_interval_is_that_over_seeds() -> None:
    """The interval of `seeds` has the width that the components imply, where no component is at its boundary."""
    size = DesignSize(40, 4, 1, 4)
    outcomes = 0.5 + 0.2 * simulated(np.random.default_rng(5), size, {**DEVIATIONS, "training": 0.2})
    over_seeds = seeds(outcomes.mean(axis=(2, 3)).clip(0, 1))
    result = estimated(outcomes)
    assert result.half_width == pytest.approx((over_seeds.high - over_seeds.low) / 2, rel=0.02)


@pytest.mark.parametrize(
    ("size", "factors"),
    [(DesignSize(60, 4, 2), {"pairs", "queries", "draws"}), (DesignSize(30, 4, 1, 5), {"trainings"})],
)
def test_the_advice_halves_the_interval(size: DesignSize, factors: set[str]) -> None:
    """The mean of a simulated study of the advised size has about half the standard error."""
    few = {**DEVIATIONS, "concept pair": 0.02, "training × concept pair": 0.02, "training": 0.2, "query": 0.1}
    deviations = few if size.trainings > 1 else {**few, "training": 0.0, "support draw": 0.6}
    rng = np.random.default_rng(6)
    # The components are set to their true values, so that only the advice is tested.
    found = estimated(simulated(rng, size, deviations))
    expected = truth(size, deviations)
    shares = replace(found, components=tuple(replace(one, variance=expected[one.source]) for one in found.components))
    halving = shares.halving()
    enough = {factor: count for factor, count in halving.alone.items() if count is not None}
    assert factors <= set(enough)
    for factor, count in enough.items():
        if factor in factors:
            larger = replace(size, **{factor: count})
            wide, narrow = (
                _implied_reach(rng, design, deviations, shares.half_width_at(design)) for design in (size, larger)
            )
            assert narrow / wide == pytest.approx(0.5, abs=0.08)


def _implied_reach(
    rng: np.random.Generator, size: DesignSize, deviations: Mapping[str, float], predicted: float
) -> float:
    """The predicted reach, after a check that simulated means vary as it supposes."""
    means = [float(simulated(rng, size, deviations).mean()) for _ in range(300)]
    error = float(np.std(means, ddof=1))
    quantile = predicted / error
    assert 1.75 < quantile < 3.2, "between the quantiles of the normal distribution and of Student's with 4 degrees"
    return predicted


def test_pairs_and_trainings_must_grow_together_where_both_matter() -> None:
    size = DesignSize(20, 4, 1, 8)
    deviations = {**DEVIATIONS, "concept pair": 0.4, "training": 0.3, "training × concept pair": 0.01}
    halving = estimated(simulated(np.random.default_rng(7), size, deviations)).halving()
    assert set(halving.alone) == {"pairs", "queries", "trainings"}
    assert set(halving.alone.values()) == {None}
    assert halving.together is not None
    assert halving.together.pairs > 20
    assert halving.together.trainings > 8


def test_factors_that_a_design_lacks_are_not_estimable() -> None:
    result = estimated(simulated(np.random.default_rng(8), DesignSize(12, 1), DEVIATIONS))
    assert [one.source for one in result.components] == ["concept pair"]
    assert set(result.not_estimable) == {"query", "support draw", "training"}
    assert set(result.halving().alone) == {"pairs"}
    more = estimated(simulated(np.random.default_rng(8), DesignSize(10, 2, 2, 2), DEVIATIONS))
    assert not more.not_estimable
    assert sum(one.share for one in more.components) == pytest.approx(1)


def test_outcomes_that_never_vary_have_upper_limits_and_no_advice() -> None:
    result = estimated(np.ones((2, 10, 3, 2)))
    assert all(one.variance == one.low == 0 < one.high for one in result.components)
    assert all(np.isnan(one.share) for one in result.components)
    with pytest.raises(UserError, match="no outcome differs"):
        result.halving()


def test_shares_do_not_depend_on_the_order_of_records_or_their_unit() -> None:
    outcomes = simulated(np.random.default_rng(9), DesignSize(10, 3, 2, 2), DEVIATIONS)
    one, other = estimated(outcomes), estimated(10 * outcomes[:, ::-1])
    for a, b in zip(one.components, other.components, strict=True):
        assert b.share == pytest.approx(a.share)
        assert b.variance == pytest.approx(100 * a.variance)


def test_tables_that_show_no_variance_are_refused() -> None:
    frame = pd.DataFrame({"pair": ["a", "a", "b"], "query_id": [0, 1, 2], "value": [0.0, 1.0, 1.0]})
    with pytest.raises(UserError, match="no column 'valu'"):
        variance_shares(frame, "valu")
    with pytest.raises(UserError, match="at least two pairs"):
        variance_shares(frame[:2], "value")
    with pytest.raises(UserError, match="several records"):
        variance_shares(pd.concat([frame, frame]), "value")
    with pytest.raises(UserError, match="lack an answer in 'value'"):
        variance_shares(frame.assign(value=[0.0, 1.0, np.nan]), "value")
    two = pd.concat([frame.assign(model="x"), frame[:2].assign(model="y")])
    with pytest.raises(UserError, match="1 queries lack an answer for some model"):
        variance_shares(two, "value", training="model")
