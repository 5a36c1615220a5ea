"""One simulated replication of each method: data with a known truth, and whether the method is right about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from lcl_lab import analysis
from lcl_lab.benchmarks import simulated_answers as simulated

__all__ = [
    "Result",
    "Scenario",
    "accepted",
    "accuracy",
    "agreement",
    "area",
    "batch_calibration",
    "calibration",
    "ceiling",
    "change",
    "copied",
    "corrected",
    "corrected_change",
    "factorial",
    "false_positives",
    "half",
    "harm",
    "looks",
    "means",
    "odds_ratio",
    "one_at_a_time",
    "orders",
    "paired",
    "rates",
    "seeds",
    "shares",
    "slope",
    "strategies",
]

Scenario = Mapping[str, Any]
Result = dict[str, bool | None]
"""For each check whether it came out as counted; None where the check does not apply."""
_ANSWERS = np.array(["other", "true"])
_CONTENT_FREE = ("grey", "black", "white", "noise")


def accuracy(rng: np.random.Generator, at: Scenario) -> Result:
    """A replication of `lcl_lab.analysis.accuracy`."""
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


def paired(rng: np.random.Generator, at: Scenario) -> Result:
    """A replication of `lcl_lab.analysis.paired_difference`."""
    names = simulated.pair_names(rng, at["pairs"], at["sizes"])
    values = simulated.pair_changes(rng, names, at["gains"], at["losses"], at["correlation"])
    low, high = analysis.difference_interval(values, names)
    truth = at["gains"] - at["losses"]
    rejected = analysis.cluster_mcnemar(values, names) <= 0.05
    return {"difference": low <= truth <= high, "no difference": rejected if truth == 0 else None}


def harm(rng: np.random.Generator, at: Scenario) -> Result:
    """A replication of `lcl_lab.analysis.equivalence`."""
    names = simulated.pair_names(rng, at["pairs"], at["sizes"])
    if at["harm"] == "to every concept":
        values = simulated.pair_changes(rng, names, 0.05, 0.05 + at["margin"], 0.02)
    else:
        values = simulated.pair_changes(rng, names, 0.02, 0.02, 0.0)
        values[(rng.random(at["pairs"]) < at["margin"])[names]] = -1
    return {"equivalence": analysis.equivalence(values, names, at["margin"]).is_equivalent}


def slope(rng: np.random.Generator, at: Scenario) -> Result:
    """A replication of `lcl_lab.analysis.dose_response`."""
    names = simulated.pair_names(rng, at["pairs"], at["sizes"])
    curve = 1 / (1 + np.exp(-at["intercept"] - at["slope"] * simulated.DOSES))
    answers = simulated.dose_answers(rng, names, curve, at["correlation"])
    fit = analysis.dose_response(_dose_frame(names, answers), "dose", "correct")
    return {
        "slope": fit.slope_low <= at["slope"] <= fit.slope_high,
        "no slope": fit.p_value <= 0.05 if at["slope"] == 0 else None,
    }


def half(rng: np.random.Generator, at: Scenario) -> Result:
    """A replication of `lcl_lab.analysis.half_crossing`."""
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


def one_at_a_time(rng: np.random.Generator, at: Scenario) -> Result:
    """A replication of `lcl_lab.analysis.position_drops`."""
    names = simulated.pair_names(rng, at["pairs"], at["sizes"])
    reader = simulated.READERS[at["reader"]]
    result = analysis.position_drops(*simulated.with_one_flip(rng, names, reader, at["correlation"]), names, rng)
    truth = simulated.single_drops(reader)
    return {
        "drops, one at a time": _all_within(result.drops, truth),
        "equal positions, one at a time": result.p_value <= 0.05 if np.ptp(truth) < 1e-9 else None,
    }


def factorial(rng: np.random.Generator, at: Scenario) -> Result:
    """A replication of `lcl_lab.analysis.factorial_effects`."""
    names = simulated.pair_names(rng, at["pairs"], at["sizes"])
    reader = simulated.READERS[at["reader"]]
    flips, answers = simulated.prompts_with_flips(rng, names, reader, at["share"], at["correlation"])
    truth = simulated.average_drops(reader, at["share"])
    result = analysis.factorial_effects(flips, answers, names, rng)
    return {
        "drops, factorial": _all_within(result.drops, truth),
        "equal positions, factorial": result.p_value <= 0.05 if np.ptp(truth) < 1e-9 else None,
    }


def steps(rng: np.random.Generator, at: Scenario) -> Result:
    """A replication of `lcl_lab.analysis.step_changes`."""
    names = simulated.pair_names(rng, at["pairs"], at["sizes"])
    curve = simulated.SHOT_CURVES[at["curve"]]
    answers = simulated.dose_answers(rng, names, curve, at["correlation"])
    return {"changes from step to step": _all_within(analysis.step_changes(answers, names, rng), np.diff(curve))}


def _all_within(drops: pd.DataFrame, truth: simulated.Floats) -> bool:
    return bool((drops["low"].le(truth + 1e-9) & drops["high"].ge(truth - 1e-9)).all())


def seeds(rng: np.random.Generator, at: Scenario) -> Result:
    """A replication of `lcl_lab.analysis.seeds`."""
    mean, deviation = simulated.trained_truth(at["accuracy"], at["deviation"])
    difficulty = rng.standard_normal((at["pairs"],))
    answers = simulated.trained_answers(rng, at["trainings"], at["pairs"], at["accuracy"], at["deviation"], difficulty)
    result = analysis.seeds(answers.reshape(at["trainings"], at["pairs"], -1).mean(axis=2))
    return {
        "accuracy over seeds": result.low <= mean <= result.high,
        "deviation between seeds": result.between_seeds_low - 1e-9 <= deviation <= result.between_seeds_high,
    }


def strategies(rng: np.random.Generator, at: Scenario) -> Result:
    """A replication of `lcl_lab.analysis.difference_of_strategies`."""
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


def change(rng: np.random.Generator, at: Scenario) -> Result:
    """A replication of `lcl_lab.analysis.change_of_strategy`."""
    pairs, difficulty = at["pairs"], rng.standard_normal((at["pairs"],))
    before, after = (
        simulated.trained_answers(rng, at["trainings"], pairs, at["accuracy"], at["deviation"], difficulty)
        for _ in range(2)
    )
    names = np.repeat(np.arange(pairs), before.shape[1] // pairs)
    result = analysis.change_of_strategy(before, after, names)
    return {"change of a strategy": result.low <= 0 <= result.high, "no change of a strategy": result.p_value < 0.05}


def orders(rng: np.random.Generator, at: Scenario) -> Result:
    """A replication of `lcl_lab.analysis.order_and_draw`."""
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


def odds_ratio(rng: np.random.Generator, at: Scenario) -> Result:
    """A replication of `lcl_lab.analysis.odds_ratio`."""
    result = analysis.odds_ratio(*_two_accuracies(rng, at))
    truth = at["b"] / (1 - at["b"]) * (1 - at["a"]) / at["a"]
    return {"odds ratio": result.low <= truth <= result.high}


def ceiling(rng: np.random.Generator, at: Scenario) -> Result:
    """A replication of `lcl_lab.analysis.ceiling_share`."""
    result = analysis.ceiling_share(*_two_accuracies(rng, at))
    return {"share of the ceiling": result.low <= (at["a"] - 0.5) / (at["b"] - 0.5) <= result.high}


def calibration(rng: np.random.Generator, at: Scenario) -> Result:
    """A replication of `lcl_lab.analysis.calibration`."""
    names = simulated.pair_names(rng, at["pairs"], "equal")
    probabilities = simulated.choice_probabilities(rng, names, at["slope"], at["shift"], at["correlation"])
    result = analysis.calibration(probabilities, names, rng)
    truth = simulated.calibration_error(at["slope"], at["shift"])
    return {"expected calibration error": result.ece_low - 1e-9 <= truth <= result.ece_high + 1e-9}


def batch_calibration(rng: np.random.Generator, at: Scenario) -> Result:
    """A replication of `lcl_lab.analysis.calibrated_choices`: the interval of the accuracy that it leads to."""
    names = simulated.pair_names(rng, at["pairs"], at["sizes"])
    log_odds, is_last = simulated.biased_log_odds(rng, names, at["bias"], at["correlation"])
    records = pd.DataFrame(
        {"model": "m", "pair": names, "true_name": "a", "other_name": "b", "tokens_true": 1, "tokens_other": 1}
    )
    logliks = dict.fromkeys((f"loglik_{side}_{image}" for side in _ANSWERS for image in _CONTENT_FREE), 0.0)
    last = pd.Series([[{"label": label}] for label in np.where(is_last > 0, "a", "b")])
    records = records.assign(loglik_true=is_last * log_odds, loglik_other=0.0, support=last, **logliks)
    column = analysis.CALIBRATED_METRICS["candidate-batch"]
    scored = analysis.calibrated_choices(records).dropna(subset=[column])
    if scored.empty:  # by chance, one of the two names was shown last for nearly all queries
        return {"accuracy after batch calibration": None}
    row = analysis.accuracy(scored, [], int(rng.integers(2**31)), {"metric": column}).iloc[0]
    truth = simulated.accuracy_without_bias(at["bias"])
    return {"accuracy after batch calibration": bool(row["low"] <= truth <= row["high"])}


def shares(rng: np.random.Generator, at: Scenario) -> Result:
    """A replication of `lcl_lab.analysis.variance_shares`."""
    answers = simulated.nested_answers(rng, at["pairs"], at["log_odds"])
    pair, query, draw = (place.ravel() for place in np.indices(answers.shape))
    frame = pd.DataFrame({"pair": pair, "query_id": 4 * pair + query, "draw": draw, "correct": answers.ravel()})
    truth = simulated.nested_variances(at["log_odds"])
    components = {one.source: one for one in analysis.variance_shares(frame, "correct", draw="draw").components}
    return {
        f"variance, {name}": components[name].low <= value <= components[name].high for name, value in truth.items()
    }


def looks(rng: np.random.Generator, at: Scenario) -> Result:
    """A replication of `lcl_lab.analysis.confidence_sequence`."""
    names = simulated.pair_names(rng, at["pairs"], at["sizes"])
    values = simulated.pair_changes(rng, names, at["gains"], at["losses"], at["correlation"])
    found = analysis.confidence_sequence(values, names, np.arange(len(names)), (-1.0, 1.0))
    truth = at["gains"] - at["losses"]
    return {"difference at any time": bool((found.lows <= truth).all() and (found.highs >= truth).all())}


def means(rng: np.random.Generator, at: Scenario) -> Result:
    """A replication of `lcl_lab.analysis.simultaneous_means`: whether all intervals cover."""
    names = simulated.pair_names(rng, at["pairs"], at["sizes"])
    values = simulated.pair_quantities(rng, names, at["quantities"], at["correlation"], at["shape"])
    found = analysis.simultaneous_means(values, names)
    return {"means, simultaneous": bool(((found.low <= 0) & (found.high >= 0)).all())}


def rates(rng: np.random.Generator, at: Scenario) -> Result:
    """A replication of `lcl_lab.analysis.answer_rates`."""
    names = simulated.pair_names(rng, at["pairs"], at["sizes"])
    flipped = np.where(simulated.pair_answers(rng, names, at["link"], at["correlation"]) == 1, "other", "true")
    rate = analysis.answer_rates(np.full(len(names), "true"), flipped, names, rng)["link"]
    return {"rate of answers": rate.low <= at["link"] <= rate.high}


def agreement(rng: np.random.Generator, at: Scenario) -> Result:
    """A replication of `lcl_lab.analysis.prior_agreement`.

    Answers that agree with probability κ, and are independent otherwise, have that κ.
    """
    names = simulated.pair_names(rng, at["pairs"], at["sizes"])
    a, b = (simulated.pair_uniforms(rng, names, at["correlation"]) < at["true"] for _ in range(2))
    same = simulated.pair_uniforms(rng, names, at["correlation"]) < at["kappa"]
    sides = _ANSWERS[a.astype(int)], _ANSWERS[np.where(same, a, b).astype(int)]
    found = analysis.prior_agreement(*sides, names, rng)
    return {"agreement": found.low <= at["kappa"] <= found.high}


def copied(rng: np.random.Generator, at: Scenario) -> Result:
    """A replication of `lcl_lab.analysis.copying`."""
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


def corrected(rng: np.random.Generator, at: Scenario) -> Result:
    """A replication of `lcl_lab.analysis.chance_corrected_accuracy`."""
    names = simulated.pair_names(rng, at["pairs"], at["sizes"])
    truth = 1 / at["ways"] + at["corrected"] * (1 - 1 / at["ways"])
    answers = simulated.pair_answers(rng, names, truth, at["correlation"])
    frame = pd.DataFrame({"ways": at["ways"], "pair": names, "correct": answers})
    rows = analysis.accuracy(frame, ["ways"], int(rng.integers(2**31)), {"candidate": "correct"})
    row = analysis.chance_corrected_accuracy(rows).iloc[0]
    return {"chance-corrected accuracy": bool(row["low"] <= at["corrected"] + 1e-9 and at["corrected"] <= row["high"])}


def corrected_change(rng: np.random.Generator, at: Scenario) -> Result:
    """A replication of `lcl_lab.analysis.chance_corrected_difference`, of 2 and 5 names."""
    names = simulated.pair_names(rng, at["pairs"], at["sizes"])
    accuracies = np.array([(1 + at["a"]) / 2, (1 + 4 * at["b"]) / 5])
    answers = simulated.dose_answers(rng, names, accuracies, at["correlation"])
    sides = [
        pd.DataFrame({"ways": ways, "query_id": np.arange(len(names)), "pair": names, "correct": answers[:, side]})
        for side, ways in enumerate((2, 5))
    ]
    found = analysis.chance_corrected_difference(pd.concat(sides), "correct", {"ways": 2}, {"ways": 5}, (2, 5))
    truth = at["b"] - at["a"]
    return {
        "chance-corrected difference": found.low <= truth <= found.high,
        "no chance-corrected difference": found.p_value <= 0.05 if truth == 0 else None,
    }


def area(rng: np.random.Generator, at: Scenario) -> Result:
    """A replication of `lcl_lab.analysis.auroc`."""
    names = simulated.pair_names(rng, at["pairs"], at["sizes"])
    scores, known = simulated.query_scores(rng, names, at["distance"], at["correlation"])
    found = analysis.auroc(scores, known, names)
    return {"area under the ROC curve": found.low <= simulated.rejection_rates(at["distance"])[0] <= found.high}


def false_positives(rng: np.random.Generator, at: Scenario) -> Result:
    """A replication of `lcl_lab.analysis.fpr_at_tpr`."""
    names = simulated.pair_names(rng, at["pairs"], at["sizes"])
    scores, known = simulated.query_scores(rng, names, at["distance"], at["correlation"])
    found = analysis.fpr_at_tpr(scores, known, names)
    return {"FPR at 95 % TPR": found.low <= simulated.rejection_rates(at["distance"])[1] <= found.high}


def accepted(rng: np.random.Generator, at: Scenario) -> Result:
    """A replication of `lcl_lab.analysis.accepted_accuracy`."""
    names = simulated.pair_names(rng, at["pairs"], at["sizes"])
    scores, known = simulated.query_scores(rng, names, at["distance"], at["correlation"])
    correct = simulated.pair_answers(rng, names, at["accuracy"], at["correlation"])
    found = analysis.accepted_accuracy(scores, known, correct, names, rng)
    truth = at["accuracy"] * analysis.TPR / (analysis.TPR + simulated.rejection_rates(at["distance"])[1])
    return {"accuracy on accepted": found.low <= truth <= found.high}
