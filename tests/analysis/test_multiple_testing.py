from __future__ import annotations

import numpy as np
import pytest

from lcl_lab.analysis import adjust


def test_it_gives_the_values_of_r() -> None:
    """p.adjust(c(0.005, 0.011, 0.02, 0.04, 0.13), "holm") and "BH" of R 4.3."""
    result = adjust([0.005, 0.011, 0.02, 0.04, 0.13])
    assert result["holm"].tolist() == pytest.approx([0.025, 0.044, 0.06, 0.08, 0.13])
    assert result["bh"].tolist() == pytest.approx([0.025, 0.0275, 0.1 / 3, 0.05, 0.13])


def test_a_missing_test_does_not_count() -> None:
    result = adjust([0.02, np.nan, 0.01])
    assert result["holm"].tolist()[::2] == pytest.approx([0.02, 0.02])
    assert np.isnan(result["holm"][1])
    assert np.isnan(adjust([np.nan])["bh"][0])
    assert adjust([]).empty


def test_holm_controls_the_probability_of_any_false_positive() -> None:
    rng = np.random.default_rng(0)
    families = rng.random((1000, 6))
    assert np.mean([adjust(family)["holm"].min() <= 0.05 for family in families]) <= 0.06
    assert np.mean(families.min(axis=1) <= 0.05) > 0.2
