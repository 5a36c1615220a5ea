from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_linear_model import GLM

from lcl_lab.analysis import penalised_logistic


def by_optimisation(design: np.ndarray, correct: np.ndarray) -> np.ndarray:
    """The maximum of log-likelihood + ½ log |information|, by a general optimiser."""

    def loss(beta: np.ndarray) -> float:
        p = np.clip(expit(design @ beta), 1e-12, 1 - 1e-12)
        information = design.T @ ((p * (1 - p))[:, None] * design)
        log_likelihood = float((correct * np.log(p) + (1 - correct) * np.log(1 - p)).sum())
        return -log_likelihood - 0.5 * float(np.linalg.slogdet(information)[1])

    return minimize(loss, np.zeros(design.shape[1]), method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-10}).x


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("separated", [False, True])
def test_the_fit_maximises_the_penalised_likelihood(seed: int, separated: bool) -> None:
    rng = np.random.default_rng(seed)
    design = np.column_stack([np.ones(40), rng.choice([-1.0, 0.0, 1.0], (40, 2))])
    design[:, 1] = rng.choice([-1.0, 1.0], 40)
    noisy = rng.random(40) < expit(design @ [0.2, 1.0, -0.5])
    correct = ((design[:, 1] > 0) if separated else noisy).astype(float)
    fitted = penalised_logistic(design, correct)
    np.testing.assert_allclose(fitted, by_optimisation(design, correct), atol=1e-3)
    assert np.isfinite(fitted).all()


def test_with_many_answers_it_is_the_ordinary_fit() -> None:
    rng = np.random.default_rng(0)
    design = np.column_stack([np.ones(20_000), rng.normal(size=(20_000, 2))])
    correct = (rng.random(20_000) < expit(design @ [0.5, -1.0, 2.0])).astype(float)
    ordinary = GLM(correct, design, family=Binomial()).fit().params
    np.testing.assert_allclose(penalised_logistic(design, correct), ordinary, atol=2e-3)


def test_a_predictor_without_variation_has_the_coefficient_zero_and_changes_no_other() -> None:
    rng = np.random.default_rng(1)
    design = np.column_stack([np.ones(50), rng.choice([-1.0, 1.0], 50)])
    correct = (rng.random(50) < expit(design @ [0.0, 1.0])).astype(float)
    fitted = penalised_logistic(np.column_stack([design, np.zeros(50)]), correct)
    np.testing.assert_allclose(fitted, [*penalised_logistic(design, correct), 0.0], atol=1e-9)


def test_fits_at_once_are_those_of_each_alone() -> None:
    rng = np.random.default_rng(2)
    design = np.column_stack([np.ones(30), rng.choice([-1.0, 0.0, 1.0], (30, 2))])
    correct = (rng.random(30) < 0.7).astype(float)
    times = rng.integers(0, 4, (6, 30))
    alone = [penalised_logistic(design, correct, of_fit) for of_fit in times]
    np.testing.assert_allclose(penalised_logistic(design, correct, times), alone, atol=1e-9)
