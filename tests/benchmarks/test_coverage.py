"""The simulation of coverage: it finds intervals that are too narrow, and depends on its seed alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from lcl_lab import analysis
from lcl_lab.benchmarks import simulated_answers as simulated
from lcl_lab.benchmarks.coverage import CoverageConfig, _measure, measure_coverage, run_coverage
from lcl_lab.benchmarks.validated_methods import METHODS
from lcl_lab.errors import UserError


def test_the_rates_depend_on_the_seed_and_not_on_the_number_of_workers() -> None:
    config = CoverageConfig.create(methods=("order_and_draw",), replications=20, workers=2)
    rates = measure_coverage(config)["rate"]
    place = [method.function for method in METHODS].index("order_and_draw")
    assert list(rates) == [_measure(0, place, number, 20)[0][-2] for number in range(len(rates))]
    assert list(rates) != [_measure(1, place, number, 20)[0][-2] for number in range(len(rates))]


def test_an_interval_that_ignores_clusters_is_narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    def usual(values: np.ndarray, clusters: np.ndarray) -> tuple[float, float]:
        reach = norm.ppf(0.975) * values.std() / len(values) ** 0.5
        return values.mean() - reach, values.mean() + reach

    ours, *_ = _measure(0, 1, _scenario(correlation=0.3), 200)
    monkeypatch.setattr(analysis, "difference_interval", usual)
    theirs, *_ = _measure(0, 1, _scenario(correlation=0.3), 200)
    assert (ours[-1], theirs[-1]) == ("nominal", "narrow")


def _scenario(correlation: float) -> int:
    """The number of a scenario of `paired_difference` with many changes, unequal pairs and a correlation."""
    wanted = {"pairs": 50, "sizes": "unequal", "correlation": correlation, "gains": 0.3, "losses": 0.1}
    return METHODS[1].scenarios.index(wanted)


def test_the_page_has_every_scenario_and_says_what_is_outside(tmp_path: Path) -> None:
    page = tmp_path / "validation.md"
    rows = run_coverage(CoverageConfig.create(methods=("change_of_strategy",), replications=20, workers=2, write=page))
    text = page.read_text()
    assert text.count("trainings 2, accuracy 0.6, deviation 0.0 |") == 2 * 3
    assert "## Outside of the range" in text
    assert set(rows["verdict"]) <= {"nominal", "wide", "narrow", "liberal"}


def test_an_unknown_method_is_an_error_with_the_nearest_one() -> None:
    with pytest.raises(UserError, match="did you mean 'accuracy'"):
        measure_coverage(CoverageConfig.create(methods=("acuracy",)))


def test_simulated_answers_have_the_accuracy_and_the_correlation_that_are_asked_for() -> None:
    rng = np.random.default_rng(0)
    names = simulated.pair_names(rng, 4000, "equal")
    answers = simulated.pair_answers(rng, names, 0.7, 0.2).reshape(4000, -1)
    assert answers.mean() == pytest.approx(0.7, abs=0.01)
    assert np.corrcoef(answers[:, 0], answers[:, 1])[0, 1] == pytest.approx(0.2, abs=0.05)
    changes = simulated.pair_changes(rng, names, 0.3, 0.1, 0.1)
    assert ((changes > 0).mean(), (changes < 0).mean()) == pytest.approx((0.3, 0.1), abs=0.01)


@pytest.mark.parametrize("reader", simulated.READERS)
def test_the_true_drops_are_those_of_many_prompts(reader: str) -> None:
    rng = np.random.default_rng(1)
    names = simulated.pair_names(rng, 20000, "equal")
    flips, answers = simulated.prompts_with_flips(rng, names, simulated.READERS[reader], 0.25, 0.1)
    drops = [answers[~flips[:, k]].mean() - answers[flips[:, k]].mean() for k in range(8)]
    assert drops == pytest.approx(list(simulated.average_drops(simulated.READERS[reader], 0.25)), abs=0.02)
    intact, false = simulated.with_one_flip(rng, names, simulated.READERS[reader], 0.1)
    single = intact.mean() - false.mean(axis=0)
    assert single == pytest.approx(simulated.single_drops(simulated.READERS[reader]), abs=0.02)


def test_the_true_calibration_error_is_that_of_many_choices() -> None:
    rng = np.random.default_rng(2)
    names = simulated.pair_names(rng, 20000, "equal")
    p = simulated.choice_probabilities(rng, names, 0.6, 0.1, 0.1)
    confidence, right = np.maximum(p, 1 - p), p > 0.5
    bins = np.digitize(confidence, np.linspace(0.5, 1, 101))
    gaps = [abs(right[bins == one].mean() - confidence[bins == one].mean()) for one in np.unique(bins)]
    weights = [(bins == one).mean() for one in np.unique(bins)]
    assert simulated.calibration_error(0.6, 0.1) == pytest.approx(np.dot(gaps, weights), abs=0.005)


def test_the_true_variances_are_those_of_many_nested_answers() -> None:
    """By the mean squares of an analysis of variance over very many pairs."""
    answers = simulated.nested_answers(np.random.default_rng(3), 30000, 2.0)
    draw = answers.var(axis=2, ddof=1).mean()
    query = answers.mean(axis=2).var(axis=1, ddof=1).mean() - draw / 3
    pair = answers.mean(axis=(1, 2)).var(ddof=1) - query / 4 - draw / 12
    found = {"concept pair": pair, "query": query, "support draw": draw}
    assert simulated.nested_variances(2.0) == pytest.approx(found, abs=0.002)


def test_the_true_rates_of_rejection_are_those_of_many_queries() -> None:
    rng = np.random.default_rng(0)
    names = simulated.pair_names(rng, 20000, "equal")
    for distance in (0.0, 1.0, 3.3):
        scores, known = simulated.query_scores(rng, names, distance, 0.1)
        area, rate = simulated.rejection_rates(distance)
        assert analysis.auroc(scores, known, names).estimate == pytest.approx(area, abs=0.01)
        assert analysis.fpr_at_tpr(scores, known, names).estimate == pytest.approx(rate, abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(
    "function",
    ["chance_corrected_accuracy", "chance_corrected_difference", "auroc", "fpr_at_tpr", "accepted_accuracy"],
)
def test_no_interval_of_n_way_and_open_set_episodes_is_narrow(function: str) -> None:
    (place,) = (k for k, method in enumerate(METHODS) if method.function == function)
    numbers = range(0, len(METHODS[place].scenarios), 9)
    rows = [row for number in numbers for row in _measure(0, place, number, 100)]
    assert {row[-1] for row in rows} <= {"nominal", "wide"}


def test_an_area_that_ignores_clusters_is_narrow() -> None:
    """Known queries of a pair agree, and so do unknown ones."""
    rng = np.random.default_rng(0)
    hits = {"clusters": 0, "queries": 0}
    for _ in range(200):
        of_pair = rng.standard_normal((20, 2)).repeat(4, axis=0).ravel()
        known = np.tile([True, False], 80)
        scores = of_pair + known
        for name, clusters in (("clusters", np.repeat(np.arange(20), 8)), ("queries", np.arange(160))):
            found = analysis.auroc(scores, known, clusters)
            hits[name] += found.low <= simulated.rejection_rates(1.0)[0] <= found.high
    assert hits["clusters"] >= 180
    assert hits["queries"] <= 160
