"""The intervals and tests of the studies, each with the situations in which it is simulated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import numpy as np
import pandas as pd

from lcl_lab import analysis
from lcl_lab.benchmarks import simulated_answers as simulated

__all__ = ["METHODS", "Check", "Method", "Scenario"]

Scenario = Mapping[str, Any]
Result = dict[str, bool | None]
Simulation = Callable[[np.random.Generator, Scenario], Result]


@dataclass(frozen=True)
class Check:
    """What is counted in each replication of a method.

    Attributes:
        name: what it is about.
        kind: ``"interval"``, whether the interval contains the truth; ``"test"``, whether a true null hypothesis, or an
            equivalence that does not exist, is decided against.
    """

    name: str
    kind: Literal["interval", "test"]


@dataclass(frozen=True)
class Method:
    """A method, what is counted, and where.

    Attributes:
        function: its name in `lcl_lab.analysis`.
        checks: what is counted; the simulation returns each by its name, None where the check does not apply.
        simulate: one replication; a `UserError` of the method means that it gives no result.
        scenarios: the situations.
        effort: replications per scenario, as a share of those of the fastest methods.
    """

    function: str
    checks: tuple[Check, ...]
    simulate: Simulation
    scenarios: tuple[Scenario, ...]
    effort: float = 1.0


def _grid(**values: Any) -> Iterator[dict[str, Any]]:
    """Every combination of the values of each key."""
    for combination in product(*values.values()):
        yield dict(zip(values, combination, strict=True))


_PAIRS = (10, 20, 50)
_ANSWERS = np.array(["other", "true"])
_SIZES = ("equal", "unequal")
_CORRELATIONS = (0.0, 0.1, 0.3)
_TRAINED = ((0.6, 0.0), (0.6, 0.02), (0.6, 0.06), (0.9, 0.0), (0.9, 0.02), (0.9, 0.05), (0.97, 0.005), (0.97, 0.02))
"""Accuracy and deviation between trainings; that of accuracies is at most 0.06."""


def _trained_grid() -> Iterator[dict[str, Any]]:
    for pairs, trainings, (accuracy, deviation) in product(_PAIRS, (2, 3, 5), _TRAINED):
        yield {"pairs": pairs, "trainings": trainings, "accuracy": accuracy, "deviation": deviation}


def _accuracy(rng: np.random.Generator, at: Scenario) -> Result:
    names = simulated.pair_names(rng, at["pairs"], at["sizes"])
    cells = {
        name: simulated.pair_answers(rng, names, accuracy, at["correlation"])
        for name, accuracy in (("cell", at["accuracy"]), ("other cell", 0.7))
    }
    frame = pd.concat(
        [pd.DataFrame({"cell": name, "pair": names, "correct": values}) for name, values in cells.items()]
    )
    row = analysis.accuracy(frame, ["cell"], int(rng.integers(2**31)), {"metric": "correct"}).iloc[0]
    return {"accuracy": bool(row["low"] <= at["accuracy"] <= row["high"])}


def _paired(rng: np.random.Generator, at: Scenario) -> Result:
    names = simulated.pair_names(rng, at["pairs"], at["sizes"])
    values = simulated.pair_changes(rng, names, at["gains"], at["losses"], at["correlation"])
    low, high = analysis.difference_interval(values, names)
    truth = at["gains"] - at["losses"]
    rejected = analysis.cluster_mcnemar(values, names) <= 0.05
    return {"difference": low <= truth <= high, "no difference": rejected if truth == 0 else None}


def _harm(rng: np.random.Generator, at: Scenario) -> Result:
    names = simulated.pair_names(rng, at["pairs"], at["sizes"])
    if at["harm"] == "to every concept":
        values = simulated.pair_changes(rng, names, 0.05, 0.05 + at["margin"], 0.02)
    else:
        values = simulated.pair_changes(rng, names, 0.02, 0.02, 0.0)
        values[(rng.random(at["pairs"]) < at["margin"])[names]] = -1
    return {"equivalence": analysis.equivalence(values, names, at["margin"]).is_equivalent}


def _slope(rng: np.random.Generator, at: Scenario) -> Result:
    names = simulated.pair_names(rng, at["pairs"], at["sizes"])
    curve = 1 / (1 + np.exp(-at["intercept"] - at["slope"] * simulated.DOSES))
    answers = simulated.dose_answers(rng, names, curve, at["correlation"])
    fit = analysis.dose_response(_dose_frame(names, answers), "dose", "correct")
    return {
        "slope": fit.slope_low <= at["slope"] <= fit.slope_high,
        "no slope": fit.p_value <= 0.05 if at["slope"] == 0 else None,
    }


def _half(rng: np.random.Generator, at: Scenario) -> Result:
    names = simulated.pair_names(rng, at["pairs"], at["sizes"])
    curve = simulated.CURVES[at["curve"]]
    answers = simulated.dose_answers(rng, names, curve, at["correlation"])
    found = analysis.half_crossing(_dose_frame(names, answers), "dose", "correct", rng, draws=1000)
    crosses = found.outcome == "crosses"
    if "one half" in at["curve"]:
        return {"dose at one half": None, "no crossing": crosses}
    truth = simulated.crossing(curve)
    return {"dose at one half": found.low <= truth <= found.high if crosses else None, "no crossing": None}


def _dose_frame(names: simulated.Names, answers: simulated.Floats) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "pair": np.repeat(names, len(simulated.DOSES)),
            "dose": np.tile(simulated.DOSES, len(names)),
            "correct": answers.ravel(),
        }
    )


def _one_at_a_time(rng: np.random.Generator, at: Scenario) -> Result:
    names = simulated.pair_names(rng, at["pairs"], at["sizes"])
    reader = simulated.READERS[at["reader"]]
    result = analysis.position_drops(*simulated.with_one_flip(rng, names, reader, at["correlation"]), names, rng)
    truth = simulated.single_drops(reader)
    return {
        "drops, one at a time": _all_within(result.drops, truth),
        "equal positions, one at a time": result.p_value <= 0.05 if np.ptp(truth) < 1e-9 else None,
    }


def _factorial(rng: np.random.Generator, at: Scenario) -> Result:
    names = simulated.pair_names(rng, at["pairs"], at["sizes"])
    reader = simulated.READERS[at["reader"]]
    flips, answers = simulated.prompts_with_flips(rng, names, reader, at["share"], at["correlation"])
    truth = simulated.average_drops(reader, at["share"])
    result = analysis.factorial_effects(flips, answers, names, rng)
    return {
        "drops, factorial": _all_within(result.drops, truth),
        "equal positions, factorial": result.p_value <= 0.05 if np.ptp(truth) < 1e-9 else None,
    }


def _all_within(drops: pd.DataFrame, truth: simulated.Floats) -> bool:
    return bool((drops["low"].le(truth + 1e-9) & drops["high"].ge(truth - 1e-9)).all())


def _seeds(rng: np.random.Generator, at: Scenario) -> Result:
    mean, deviation = simulated.trained_truth(at["accuracy"], at["deviation"])
    difficulty = rng.standard_normal((at["pairs"],))
    answers = simulated.trained_answers(rng, at["trainings"], at["pairs"], at["accuracy"], at["deviation"], difficulty)
    result = analysis.seeds(answers.reshape(at["trainings"], at["pairs"], -1).mean(axis=2))
    return {
        "accuracy over seeds": result.low <= mean <= result.high,
        "deviation between seeds": result.between_seeds_low - 1e-9 <= deviation <= result.between_seeds_high,
    }


def _strategies(rng: np.random.Generator, at: Scenario) -> Result:
    pairs, difficulty = at["pairs"], rng.standard_normal((at["pairs"],))
    deviations = (at["deviation"], 0.0 if at["varies"] == "one side" else at["deviation"])
    strengths_of = rng.normal(0, 0.3, (2, pairs))  # each strategy has its strong and weak pairs
    a, b = (
        simulated.trained_answers(rng, at["trainings"], pairs, at["accuracy"], deviation, difficulty + strengths)
        for deviation, strengths in zip(deviations, strengths_of, strict=True)
    )
    names = np.repeat(np.arange(pairs), a.shape[1] // pairs)
    result = analysis.difference_of_strategies(a, b, names)
    mean_a, mean_b = (simulated.trained_truth(at["accuracy"], deviation)[0] for deviation in deviations)
    return {
        "difference of strategies": result.low <= mean_b - mean_a <= result.high,
        "equal strategies": result.p_value < 0.05 if mean_a == mean_b else None,
    }


def _change(rng: np.random.Generator, at: Scenario) -> Result:
    pairs, difficulty = at["pairs"], rng.standard_normal((at["pairs"],))
    before, after = (
        simulated.trained_answers(rng, at["trainings"], pairs, at["accuracy"], at["deviation"], difficulty)
        for _ in range(2)
    )
    names = np.repeat(np.arange(pairs), before.shape[1] // pairs)
    result = analysis.change_of_strategy(before, after, names)
    return {"change of a strategy": result.low <= 0 <= result.high, "no change of a strategy": result.p_value < 0.05}


def _orders(rng: np.random.Generator, at: Scenario) -> Result:
    names = simulated.pair_names(rng, at["pairs"], at["sizes"])
    answers, deviation = simulated.repeated_answers(rng, names, at["log_odds"])
    result = analysis.order_and_draw(answers, answers, names)
    return {"deviation over orders": result.order_low <= deviation <= result.order_high}


def _two_accuracies(
    rng: np.random.Generator, at: Scenario
) -> tuple[simulated.Floats, simulated.Floats, simulated.Names]:
    names = simulated.pair_names(rng, at["pairs"], at["sizes"])
    answers = simulated.dose_answers(rng, names, np.array([at["a"], at["b"]]), at["correlation"])
    return answers[:, 0], answers[:, 1], names


def _odds_ratio(rng: np.random.Generator, at: Scenario) -> Result:
    result = analysis.odds_ratio(*_two_accuracies(rng, at))
    truth = at["b"] / (1 - at["b"]) * (1 - at["a"]) / at["a"]
    return {"odds ratio": result.low <= truth <= result.high}


def _ceiling(rng: np.random.Generator, at: Scenario) -> Result:
    result = analysis.ceiling_share(*_two_accuracies(rng, at))
    return {"share of the ceiling": result.low <= (at["a"] - 0.5) / (at["b"] - 0.5) <= result.high}


def _calibration(rng: np.random.Generator, at: Scenario) -> Result:
    names = simulated.pair_names(rng, at["pairs"], "equal")
    probabilities = simulated.choice_probabilities(rng, names, at["slope"], at["shift"], at["correlation"])
    result = analysis.calibration(probabilities, names, rng)
    truth = simulated.calibration_error(at["slope"], at["shift"])
    return {"expected calibration error": result.ece_low - 1e-9 <= truth <= result.ece_high + 1e-9}


def _shares(rng: np.random.Generator, at: Scenario) -> Result:
    answers = simulated.nested_answers(rng, at["pairs"], at["log_odds"])
    pair, query, draw = (place.ravel() for place in np.indices(answers.shape))
    frame = pd.DataFrame({"pair": pair, "query_id": 4 * pair + query, "draw": draw, "correct": answers.ravel()})
    truth = simulated.nested_variances(at["log_odds"])
    found = {one.source: one for one in analysis.variance_shares(frame, "correct", draw="draw").components}
    return {f"variance, {name}": found[name].low <= value <= found[name].high for name, value in truth.items()}


def _looks(rng: np.random.Generator, at: Scenario) -> Result:
    names = simulated.pair_names(rng, at["pairs"], at["sizes"])
    values = simulated.pair_changes(rng, names, at["gains"], at["losses"], at["correlation"])
    found = analysis.confidence_sequence(values, names, np.arange(len(names)), (-1.0, 1.0))
    truth = at["gains"] - at["losses"]
    return {"difference at any time": bool((found.lows <= truth).all() and (found.highs >= truth).all())}


def _rates(rng: np.random.Generator, at: Scenario) -> Result:
    names = simulated.pair_names(rng, at["pairs"], at["sizes"])
    flipped = np.where(simulated.pair_answers(rng, names, at["link"], at["correlation"]) == 1, "other", "true")
    rate = analysis.answer_rates(np.full(len(names), "true"), flipped, names, rng)["link"]
    return {"rate of answers": rate.low <= at["link"] <= rate.high}


def _agreement(rng: np.random.Generator, at: Scenario) -> Result:
    """Answers that agree with probability κ, and are independent otherwise, have that κ."""
    names = simulated.pair_names(rng, at["pairs"], at["sizes"])
    a, b = (simulated.pair_uniforms(rng, names, at["correlation"]) < at["true"] for _ in range(2))
    same = simulated.pair_uniforms(rng, names, at["correlation"]) < at["kappa"]
    sides = _ANSWERS[a.astype(int)], _ANSWERS[np.where(same, a, b).astype(int)]
    found = analysis.prior_agreement(*sides, names, rng)
    return {"agreement": found.low <= at["kappa"] <= found.high}


def _copied(rng: np.random.Generator, at: Scenario) -> Result:
    names = simulated.pair_names(rng, at["pairs"], at["sizes"])
    rules = rng.choice([-1, 1], (2, len(names)))
    chance = 1 / (1 + np.exp(-at["coefficient"] * rules[0]))
    chosen = _ANSWERS[(simulated.pair_uniforms(rng, names, at["correlation"]) < chance).astype(int)]
    predictors = {str(k): _ANSWERS[(of_rule > 0).astype(int)] for k, of_rule in enumerate(rules)}
    found = analysis.copying(chosen, predictors, names)
    return {
        "coefficient of a rule": found["0"].low <= at["coefficient"] <= found["0"].high,
        "no copying": not found["1"].low <= 0 <= found["1"].high,
    }


def _interval(name: str) -> Check:
    return Check(name, "interval")


def _test(name: str) -> Check:
    return Check(name, "test")


METHODS: tuple[Method, ...] = (
    Method(
        "accuracy",
        (_interval("accuracy"),),
        _accuracy,
        tuple(_grid(pairs=_PAIRS, sizes=_SIZES, correlation=_CORRELATIONS, accuracy=(0.02, 0.5, 0.97, 1.0))),
    ),
    Method(
        "paired_difference",
        (_interval("difference"), _test("no difference")),
        _paired,
        tuple(
            {"pairs": pairs, "sizes": sizes, "correlation": correlation, "gains": gains, "losses": losses}
            for pairs, sizes, correlation in product(_PAIRS, _SIZES, _CORRELATIONS)
            for gains, losses in ((0.1, 0.1), (0.3, 0.1), (0.02, 0.1), (0.01, 0.01), (0.0, 0.15), (0.9, 0.0))
        ),
    ),
    Method(
        "equivalence",
        (_test("equivalence"),),
        _harm,
        tuple(
            _grid(pairs=(*_PAIRS, 200), sizes=_SIZES, margin=(0.02, 0.1), harm=("to every concept", "to few concepts"))
        ),
    ),
    Method(
        "dose_response",
        (_interval("slope"), _test("no slope")),
        _slope,
        tuple(
            {"pairs": pairs, "sizes": sizes, "correlation": correlation, "intercept": intercept, "slope": slope}
            for pairs, sizes, correlation in product(_PAIRS, _SIZES, _CORRELATIONS)
            for intercept, slope in ((0.0, 0.0), (2.0, -2.0), (3.0, -6.0), (3.5, 0.0))
        ),
        effort=0.2,
    ),
    Method(
        "half_crossing",
        (_interval("dose at one half"), _test("no crossing")),
        _half,
        tuple(_grid(pairs=_PAIRS, sizes=("equal",), correlation=(0.3,), curve=tuple(simulated.CURVES))),
        effort=0.3,
    ),
    Method(
        "position_drops",
        (_interval("drops, one at a time"), _test("equal positions, one at a time")),
        _one_at_a_time,
        tuple(_grid(pairs=_PAIRS, sizes=("equal",), correlation=(0.3,), reader=tuple(simulated.READERS))),
        effort=0.3,
    ),
    Method(
        "factorial_effects",
        (_interval("drops, factorial"), _test("equal positions, factorial")),
        _factorial,
        tuple(
            _grid(
                pairs=_PAIRS, sizes=("equal",), correlation=(0.3,), share=(0.125, 0.25), reader=tuple(simulated.READERS)
            )
        ),
        effort=0.3,
    ),
    Method(
        "seeds",
        (_interval("accuracy over seeds"), _interval("deviation between seeds")),
        _seeds,
        tuple(_trained_grid()),
    ),
    Method(
        "difference_of_strategies",
        (_interval("difference of strategies"), _test("equal strategies")),
        _strategies,
        tuple(
            {**scenario, "varies": varies}
            for scenario in _trained_grid()
            for varies in ("both sides", "one side")
            if scenario["deviation"] or varies == "both sides"
        ),
    ),
    Method(
        "change_of_strategy",
        (_interval("change of a strategy"), _test("no change of a strategy")),
        _change,
        tuple(_trained_grid()),
    ),
    Method(
        "order_and_draw",
        (_interval("deviation over orders"),),
        _orders,
        tuple(
            {"pairs": pairs, "sizes": sizes, "log_odds": x}
            for pairs, sizes, x in product(_PAIRS, _SIZES, (0.0, 3.0, 5.0))
        ),
    ),
    Method(
        "odds_ratio",
        (_interval("odds ratio"),),
        _odds_ratio,
        tuple(
            {"pairs": pairs, "sizes": sizes, "correlation": correlation, "a": a, "b": b}
            for pairs, sizes, correlation in product(_PAIRS, _SIZES, _CORRELATIONS)
            for a, b in ((0.5, 0.5), (0.7, 0.9), (0.2, 0.97))
        ),
    ),
    Method(
        "ceiling_share",
        (_interval("share of the ceiling"),),
        _ceiling,
        tuple(
            {"pairs": pairs, "sizes": sizes, "correlation": correlation, "a": a, "b": b}
            for pairs, sizes, correlation in product(_PAIRS, _SIZES, _CORRELATIONS)
            for a, b in ((0.5, 0.9), (0.7, 0.9), (0.95, 0.97))
        ),
    ),
    Method(
        "calibration",
        (_interval("expected calibration error"),),
        _calibration,
        tuple(
            {"pairs": pairs, "correlation": correlation, "slope": slope, "shift": shift}
            for pairs, correlation in product(_PAIRS, _CORRELATIONS)
            for slope, shift in ((1.0, 0.0), (0.6, 0.0), (1.0, 0.3))
        ),
        effort=0.5,
    ),
    Method(
        "variance_shares",
        (_interval("variance, concept pair"), _interval("variance, query"), _interval("variance, support draw")),
        _shares,
        tuple(_grid(pairs=_PAIRS, log_odds=(0.0, 2.0, 4.0))),
        effort=0.5,
    ),
    Method(
        "confidence_sequence",
        (_interval("difference at any time"),),
        _looks,
        tuple(
            {"pairs": pairs, "sizes": "equal", "correlation": correlation, "gains": gains, "losses": losses}
            for pairs, correlation in product(_PAIRS, _CORRELATIONS)
            for gains, losses in ((0.1, 0.1), (0.3, 0.1), (0.02, 0.1), (0.9, 0.0))
        ),
    ),
    Method(
        "answer_rates",
        (_interval("rate of answers"),),
        _rates,
        tuple(_grid(pairs=_PAIRS, sizes=_SIZES, correlation=_CORRELATIONS, link=(0.05, 0.5, 0.9))),
    ),
    Method(
        "prior_agreement",
        (_interval("agreement"),),
        _agreement,
        tuple(_grid(pairs=_PAIRS, sizes=_SIZES, correlation=_CORRELATIONS, kappa=(0.0, 0.5, 0.9), true=(0.5, 0.8))),
    ),
    Method(
        "copying",
        (_interval("coefficient of a rule"), _test("no copying")),
        _copied,
        tuple(_grid(pairs=_PAIRS, sizes=_SIZES, correlation=_CORRELATIONS, coefficient=(0.0, 1.0, 2.0))),
        effort=0.5,
    ),
)
"""Every interval and test on which a statement of a study rests."""
