"""Sides of comparisons with records that are made up."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from lcl_lab.dashboard.sides import CONDITION, LETTER

PAIRS = 20


def answers(
    chances: Mapping[str, Callable[[int], float]],
    models: Mapping[str, int] | None = None,
    queries: int = 100,
) -> pd.DataFrame:
    """The answers of each side under two conditions.

    Args:
        chances: by letter, the chance that an answer is right under condition 0 and 1.
        models: by letter, the number of trainings; 1 by default.
        queries: of each condition.
    """
    rng, frames = np.random.default_rng(0), []
    for letter, chance in chances.items():
        for training in range((models or {}).get(letter, 1)):
            for number, condition in enumerate(("shots 2", "shots 4")):
                right = rng.random(queries) < chance(number)
                pairs = np.arange(queries) % PAIRS
                frame = pd.DataFrame(
                    {
                        LETTER: letter,
                        CONDITION: condition,
                        "model": f"{letter}-{training}",
                        "seed": 0,
                        "query_id": range(queries),
                        "pair": pairs.astype(str),
                        "true_name": np.where(np.arange(queries) % 2, "dax", "wug"),
                        "other_name": np.where(np.arange(queries) % 2, "wug", "dax"),
                        "loglik_true": np.where(right, -2.0, -6.0),
                        "loglik_other": -2.0,
                        "tokens_true": 2,
                        "tokens_other": 1,
                        "other_names": None,
                        "loglik_others": None,
                        "tokens_others": None,
                        "correct_candidate": right.astype(object),
                        "correct_candidate_raw": right.astype(object),
                        "correct_open": right.astype(object),
                    }
                )
                names = np.where(right, frame["true_name"], frame["other_name"])
                frames.append(frame.assign(answer=[f"It is a {name.capitalize()}." for name in names]))
    records = pd.concat(frames, ignore_index=True)
    return records.assign(**{CONDITION: records[CONDITION].astype("category")})
