"""Answers of simulated models: queries in concept pairs that differ in difficulty."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

CLUSTERS, SIZE = 40, 5


def clustered(rng: np.random.Generator, mean: float, correlation: float = 0.1) -> NDArray[np.float64]:
    """0/1 values (CLUSTERS · SIZE,) whose probability differs between clusters by a beta distribution."""
    strength = 1 / correlation - 1
    chances = rng.beta(mean * strength, (1 - mean) * strength, size=CLUSTERS)
    return (rng.random((CLUSTERS, SIZE)) < chances[:, None]).astype(float).ravel()


PAIRS = np.repeat(np.arange(CLUSTERS), SIZE)


def records(seed: int = 0) -> pd.DataFrame:
    """Two models at two ratios, on the same queries."""
    rng = np.random.default_rng(seed)
    chances = {("a", 0.0): 0.9, ("a", 1.0): 0.1, ("b", 0.0): 0.5, ("b", 1.0): 0.5}
    cells = []
    for (model, ratio), mean in chances.items():
        right = clustered(rng, mean)
        cells.append(
            pd.DataFrame(
                {
                    "model": model,
                    "false_ratio": ratio,
                    "query_id": np.arange(len(right)),
                    "pair": PAIRS.astype(str),
                    "correct_open": right > 0,
                    "correct_candidate": right > 0,
                    "correct_candidate_raw": right > 0,
                }
            )
        )
    return pd.concat(cells, ignore_index=True)
