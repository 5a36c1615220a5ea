"""How often two methods draw. A separate module, so that a text about them costs no import of `scipy.stats`."""

from __future__ import annotations

__all__ = ["CORRELATED_DRAWS", "PERMUTATIONS"]

CORRELATED_DRAWS = 20_000
"""Draws of the multivariate distribution whose quantiles simultaneous intervals have."""
PERMUTATIONS = 4999
"""Permutations of the joint test that all positions have the same effect."""
