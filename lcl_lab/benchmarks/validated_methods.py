"""The intervals and tests of the studies, each with the situations in which it is simulated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import numpy as np

from lcl_lab.benchmarks import method_replications as replications
from lcl_lab.benchmarks import simulated_answers as simulated
from lcl_lab.benchmarks.method_replications import Result, Scenario

__all__ = ["METHODS", "Check", "Method", "Scenario"]

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
_SIZES = ("equal", "unequal")
_CORRELATIONS = (0.0, 0.1, 0.3)
_DISTANCES = (0.0, 1.0, 2.3, 3.3)
"""Of normal scores, whose areas under the ROC curve are 0.5, 0.76, 0.95 and 0.99."""
_TRAINED = ((0.6, 0.0), (0.6, 0.02), (0.6, 0.06), (0.9, 0.0), (0.9, 0.02), (0.9, 0.05), (0.97, 0.005), (0.97, 0.02))
"""Accuracy and deviation between trainings; that of accuracies is at most 0.06."""


def _trained_grid() -> Iterator[dict[str, Any]]:
    for pairs, trainings, (accuracy, deviation) in product(_PAIRS, (2, 3, 5), _TRAINED):
        yield {"pairs": pairs, "trainings": trainings, "accuracy": accuracy, "deviation": deviation}


def _interval(name: str) -> Check:
    return Check(name, "interval")


def _test(name: str) -> Check:
    return Check(name, "test")


METHODS: tuple[Method, ...] = (
    Method(
        "accuracy",
        (_interval("accuracy"),),
        replications.accuracy,
        tuple(_grid(pairs=_PAIRS, sizes=_SIZES, correlation=_CORRELATIONS, accuracy=(0.02, 0.5, 0.97, 1.0))),
    ),
    Method(
        "paired_difference",
        (_interval("difference"), _test("no difference")),
        replications.paired,
        tuple(
            {"pairs": pairs, "sizes": sizes, "correlation": correlation, "gains": gains, "losses": losses}
            for pairs, sizes, correlation in product(_PAIRS, _SIZES, _CORRELATIONS)
            for gains, losses in ((0.1, 0.1), (0.3, 0.1), (0.02, 0.1), (0.01, 0.01), (0.0, 0.15), (0.9, 0.0))
        ),
    ),
    Method(
        "equivalence",
        (_test("equivalence"),),
        replications.harm,
        tuple(
            _grid(pairs=(*_PAIRS, 200), sizes=_SIZES, margin=(0.02, 0.1), harm=("to every concept", "to few concepts"))
        ),
    ),
    Method(
        "dose_response",
        (_interval("slope"), _test("no slope")),
        replications.slope,
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
        replications.half,
        tuple(_grid(pairs=_PAIRS, sizes=("equal",), correlation=(0.3,), curve=tuple(simulated.CURVES))),
        effort=0.3,
    ),
    Method(
        "position_drops",
        (_interval("drops, one at a time"), _test("equal positions, one at a time")),
        replications.one_at_a_time,
        tuple(_grid(pairs=_PAIRS, sizes=("equal",), correlation=(0.3,), reader=tuple(simulated.READERS))),
        effort=0.3,
    ),
    Method(
        "step_changes",
        (_interval("changes from step to step"),),
        replications.steps,
        tuple(_grid(pairs=_PAIRS, sizes=_SIZES, correlation=(0.1, 0.3), curve=tuple(simulated.SHOT_CURVES))),
        effort=0.3,
    ),
    Method(
        "factorial_effects",
        (_interval("drops, factorial"), _test("equal positions, factorial")),
        replications.factorial,
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
        replications.seeds,
        tuple(_trained_grid()),
    ),
    Method(
        "difference_of_strategies",
        (_interval("difference of strategies"), _test("equal strategies")),
        replications.strategies,
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
        replications.change,
        tuple(_trained_grid()),
    ),
    Method(
        "order_and_draw",
        (_interval("deviation over orders"),),
        replications.orders,
        tuple(
            {"pairs": pairs, "sizes": sizes, "log_odds": x}
            for pairs, sizes, x in product(_PAIRS, _SIZES, (0.0, 3.0, 5.0))
        ),
    ),
    Method(
        "odds_ratio",
        (_interval("odds ratio"),),
        replications.odds_ratio,
        tuple(
            {"pairs": pairs, "sizes": sizes, "correlation": correlation, "a": a, "b": b}
            for pairs, sizes, correlation in product(_PAIRS, _SIZES, _CORRELATIONS)
            for a, b in ((0.5, 0.5), (0.7, 0.9), (0.2, 0.97))
        ),
    ),
    Method(
        "ceiling_share",
        (_interval("share of the ceiling"),),
        replications.ceiling,
        tuple(
            {"pairs": pairs, "sizes": sizes, "correlation": correlation, "a": a, "b": b}
            for pairs, sizes, correlation in product(_PAIRS, _SIZES, _CORRELATIONS)
            for a, b in ((0.5, 0.9), (0.7, 0.9), (0.95, 0.97))
        ),
    ),
    Method(
        "calibration",
        (_interval("expected calibration error"),),
        replications.calibration,
        tuple(
            {"pairs": pairs, "correlation": correlation, "slope": slope, "shift": shift}
            for pairs, correlation in product(_PAIRS, _CORRELATIONS)
            for slope, shift in ((1.0, 0.0), (0.6, 0.0), (1.0, 0.3))
        ),
        effort=0.5,
    ),
    Method(
        "calibrated_choices",
        (_interval("accuracy after batch calibration"),),
        replications.batch_calibration,
        tuple(_grid(pairs=_PAIRS, sizes=_SIZES, correlation=_CORRELATIONS, bias=(0.0, 1.0, 3.0))),
        effort=0.5,
    ),
    Method(
        "variance_shares",
        (_interval("variance, concept pair"), _interval("variance, query"), _interval("variance, support draw")),
        replications.shares,
        tuple(_grid(pairs=_PAIRS, log_odds=(0.0, 2.0, 4.0))),
        effort=0.5,
    ),
    Method(
        "confidence_sequence",
        (_interval("difference at any time"),),
        replications.looks,
        tuple(
            {"pairs": pairs, "sizes": "equal", "correlation": correlation, "gains": gains, "losses": losses}
            for pairs, correlation in product(_PAIRS, _CORRELATIONS)
            for gains, losses in ((0.1, 0.1), (0.3, 0.1), (0.02, 0.1), (0.9, 0.0))
        ),
    ),
    Method(
        "simultaneous_means",
        (_interval("means, simultaneous"),),
        replications.means,
        tuple(
            _grid(pairs=_PAIRS, sizes=_SIZES, correlation=(0.0, 0.3), quantities=(1, 12), shape=("normal", "skewed"))
        ),
        effort=0.5,
    ),
    Method(
        "answer_rates",
        (_interval("rate of answers"),),
        replications.rates,
        tuple(_grid(pairs=_PAIRS, sizes=_SIZES, correlation=_CORRELATIONS, link=(0.05, 0.5, 0.9))),
    ),
    Method(
        "prior_agreement",
        (_interval("agreement"),),
        replications.agreement,
        tuple(_grid(pairs=_PAIRS, sizes=_SIZES, correlation=_CORRELATIONS, kappa=(0.0, 0.5, 0.9), true=(0.5, 0.8))),
    ),
    Method(
        "copying",
        (_interval("coefficient of a rule"), _test("no copying")),
        replications.copied,
        tuple(_grid(pairs=_PAIRS, sizes=_SIZES, correlation=_CORRELATIONS, coefficient=(0.0, 1.0, 2.0))),
        effort=0.5,
    ),
    Method(
        "chance_corrected_accuracy",
        (_interval("chance-corrected accuracy"),),
        replications.corrected,
        tuple(_grid(pairs=_PAIRS, sizes=_SIZES, correlation=_CORRELATIONS, ways=(3, 5), corrected=(0.0, 0.5, 0.9))),
    ),
    Method(
        "chance_corrected_difference",
        (_interval("chance-corrected difference"), _test("no chance-corrected difference")),
        replications.corrected_change,
        tuple(
            {"pairs": pairs, "sizes": sizes, "correlation": correlation, "a": a, "b": b}
            for pairs, sizes, correlation in product(_PAIRS, _SIZES, _CORRELATIONS)
            for a, b in ((0.0, 0.0), (0.6, 0.6), (0.9, 0.7))
        ),
        effort=0.5,
    ),
    Method(
        "auroc",
        (_interval("area under the ROC curve"),),
        replications.area,
        tuple(_grid(pairs=_PAIRS, sizes=_SIZES, correlation=_CORRELATIONS, distance=_DISTANCES)),
    ),
    Method(
        "fpr_at_tpr",
        (_interval("FPR at 95 % TPR"),),
        replications.false_positives,
        tuple(_grid(pairs=_PAIRS, sizes=_SIZES, correlation=_CORRELATIONS, distance=_DISTANCES)),
    ),
    Method(
        "accepted_accuracy",
        (_interval("accuracy on accepted"),),
        replications.accepted,
        tuple(
            _grid(pairs=_PAIRS, sizes=_SIZES, correlation=_CORRELATIONS, distance=(0.0, 1.0, 3.3), accuracy=(0.8, 0.95))
        ),
    ),
)
"""Every interval and test on which a statement of a study rests."""
