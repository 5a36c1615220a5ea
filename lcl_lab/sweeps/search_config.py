"""Options of a search over the ranges of a sweep."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lcl_lab.config import Config
from lcl_lab.errors import UserError
from lcl_lab.sweeps.search_space import SearchSpace

__all__ = ["HELD_OUT_ACCURACY", "LINK_SCORE", "Search"]

HELD_OUT_ACCURACY = "held_out_accuracy"
"""The metric of a search that every training has."""
LINK_SCORE = "link_score"
"""Short for the link score of candidates in the study of the sweep that estimates it."""
_MOST_TRIALS = 10_000


class Search(Config):
    """How settings of options with ranges are chosen, and what makes one better than another."""

    method: Literal["random", "optuna"] = Field(
        "random", description="random, or optuna: its tree-structured Parzen estimator, which learns from the results"
    )
    trials: int | None = Field(
        None,
        ge=1,
        le=_MOST_TRIALS,
        description="settings that are tried with every strategy or model and seed; a grid tries all of its values",
    )
    metric: str = Field(
        HELD_OUT_ACCURACY,
        description="held_out_accuracy, link_score, or an estimate of a study: STUDY/ESTIMAND/METRIC/CONDITION=VALUE",
    )
    mode: Literal["max", "min"] = Field("max", description="whether a large or a small value of the metric is good")
    seed: int = Field(0, ge=0, description="random seed of the settings")

    def check_space(self, space: SearchSpace) -> None:
        """Check that there is something to search, and that there are as many settings as trials.

        Raises:
            UserError: an option of the search does not go with the ranges.
        """
        if not space.options:
            reason = "no option of train or of a study has a range, such as learning_rate: {loguniform: [1e-5, 1e-3]}"
            raise UserError(reason)
        if not space.drawn:
            given = next((name for name in ("method", "trials") if name in self.model_fields_set), None)
            if given:
                raise UserError("every value of a grid is tried; leave it out, or use choice", option=given)
            return
        if self.trials is None:
            raise UserError("is required", option="trials")
        if self.method == "optuna" and space.grid:
            reason = f"{space.grid[0].name} has a grid; use choice, since optuna does not try every value"
            raise UserError(reason, option="method", value=self.method)
        space.check_count(self.trials)
