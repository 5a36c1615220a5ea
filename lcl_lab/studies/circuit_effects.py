"""The effects of the heads of one model: what is lost without them, where they attend, and what patches regain.

N queries, K heads or sites.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from lcl_lab import analysis
from lcl_lab.models.interventions.attention_head import Head
from lcl_lab.studies import comparisons
from lcl_lab.studies.circuit_columns import ABLATED, INTACT, PATCHED, PLACES, RANDOM, RESIDUAL, SOURCE, TOP, UNPATCHED

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from lcl_lab.analysis import Estimate, SimultaneousMeans
    from lcl_lab.studies.study_config import StudyConfig

__all__ = ["MEANS", "METRIC", "SHARES", "HeadEffects"]

MEANS = "means with simultaneous intervals over concept pairs"
SHARES = "ratios of means, linearised, with simultaneous intervals over concept pairs"
"""Methods of estimates."""

METRIC = "candidate"
"""The metric of accuracies: log-likelihoods tell more about a head than the text."""
_CHANCE = 0.5
_NEAR = 0.05  # accuracy above chance up to which a model is said to be near it


@dataclass(frozen=True)
class HeadEffects:
    """What follows from the records of one model.

    Attributes:
        config: the options of the study.
        name: of the model.
        rows: its records, with their margins.
    """

    config: StudyConfig
    name: str
    rows: pd.DataFrame

    @cached_property
    def heads(self) -> list[Head]:
        """All heads, in order."""
        return sorted(map(Head.parse, self.rows.loc[self.rows["part"] == ABLATED, "head"].unique()))

    @cached_property
    def lost(self) -> SimultaneousMeans:
        """The margin that is lost without each head, in nats per token."""
        intact, without = self._of(INTACT), self._by_head(ABLATED, "margin")
        lost = intact["margin"].to_numpy()[:, None] - without.loc[intact.index].to_numpy()
        return self._means(lost, intact)

    @cached_property
    def induction(self) -> SimultaneousMeans:
        """The induction score of each head."""
        scores = self._by_head(ABLATED, "measurement")
        return self._means(scores.to_numpy(), self._of(INTACT).loc[scores.index])

    @cached_property
    def accuracies(self) -> pd.DataFrame:
        """Accuracy without each head, by head."""
        rows = analysis.rows_of(self.rows, {"part": ABLATED})
        estimates = analysis.accuracy(rows, ["head"], self.config.seed, {METRIC: analysis.METRICS[METRIC]})
        return estimates.set_index("head").loc[[str(head) for head in self.heads]]

    @cached_property
    def path(self) -> pd.DataFrame:
        """Accuracy without the top k heads, and without k random ones, by `k` and `part`."""
        rows = analysis.select_rows(self.rows, self.rows["part"].isin([TOP, RANDOM]))
        metric = {METRIC: analysis.METRICS[METRIC]}
        return analysis.accuracy(rows, ["part", "k"], self.config.seed, metric).assign(model=self.name, metric=METRIC)

    @cached_property
    def needed(self) -> int | None:
        """The smallest number of top heads without which accuracy is near chance; None if there is none."""
        top = self.path[self.path["part"] == TOP]
        near = top[(top["k"] > 0) & (top["estimate"] <= _CHANCE + _NEAR)]
        return None if near.empty else int(near["k"].min())

    @property
    def most_harmful(self) -> int:
        """The number of top heads without which accuracy is lowest."""
        top = self.path[self.path["part"] == TOP]
        return int(top.sort_values("estimate")["k"].iloc[0])

    @property
    def follows_nothing(self) -> bool:
        """Whether accuracy with all heads is not above chance."""
        return bool(self._accuracy(TOP, 0).low <= _CHANCE)

    @cached_property
    def top(self) -> list[str]:
        """The heads in the order in which they are removed, as far as the records tell."""
        rows = self.rows[(self.rows["part"] == TOP) & (self.rows["k"] > 0)]
        return [str(head) for head in rows.sort_values("k")["head"].unique()]

    @cached_property
    def regained(self) -> SimultaneousMeans | None:
        """The share of the intact prompt's margin that each patch regains; None if labels make no difference."""
        unpatched, source = self._of(UNPATCHED), self._of(SOURCE)
        base = unpatched["margin"]
        difference = (source["margin"] - base).to_numpy()
        if self._means(difference[:, None], source).low[0] <= 0:
            return None
        gain = self._patched(base.index) - base.to_numpy()[:, None]
        whole = difference.mean()
        share = gain.mean(axis=0) / whole
        # The mean of these is the ratio, and they vary as it does.
        linear = share + (gain - share * difference[:, None]) / whole
        return self._means(linear, unpatched)

    @cached_property
    def sites(self) -> list[dict[str, Any]]:
        """Column values of each patched site: heads, then layers and places."""
        layers = sorted(self.rows.loc[self.rows["part"] == RESIDUAL, "layer"].unique())
        return [
            *({"part": PATCHED, "head": str(head)} for head in self.heads),
            *({"part": RESIDUAL, "layer": layer, "place": place} for layer in layers for place in PLACES),
        ]

    def estimate(self, means: SimultaneousMeans, number: int, **fields: Any) -> Estimate:
        """One of the means as a typed estimate."""
        return analysis.Estimate(
            value=float(means.estimate[number]),
            low=float(means.low[number]),
            high=float(means.high[number]),
            n=means.n,
            clusters=means.clusters,
            metric=METRIC,
            model=self.name,
            **fields,
        )

    def largest(self, means: SimultaneousMeans, estimand: str) -> tuple[str, Estimate]:
        """The head with the largest mean, and that mean."""
        number = int(np.argmax(means.estimate))
        head = str(self.heads[number])
        condition = {"head": head}
        return head, self.estimate(means, number, estimand=estimand, condition=condition, method=MEANS, signed=True)

    def _accuracy(self, part: str, k: int) -> Estimate:
        row = self.path[(self.path["part"] == part) & (self.path["k"] == k)].iloc[0]
        return analysis.Estimate.from_row(
            row,
            estimand="accuracy",
            metric=METRIC,
            model=self.name,
            condition={"part": part, "k": k},
            method=comparisons.BOOTSTRAP,
        )

    def accuracy(self, part: str, k: int) -> Estimate | None:
        """Accuracy on the confirmation's pairs without k heads; None if that was not tried."""
        tried = ((self.path["part"] == part) & (self.path["k"] == k)).any()
        return self._accuracy(part, k) if tried else None

    @cached_property
    def _read(self) -> pd.DataFrame:
        """The columns that conditions and means are read from; the others would be copied with every condition."""
        return self.rows[["query_id", "pair", "part", "head", "layer", "place", "margin", "measurement"]]

    def _patched(self, queries: pd.Index) -> NDArray[np.float64]:
        """(N, K) margins with a patch at each of the sites."""
        heads = self._by_head(PATCHED, "margin")
        residual = analysis.rows_of(self._read, {"part": RESIDUAL})
        placed = residual.pivot(index="query_id", columns=["layer", "place"], values="margin")
        places = [(site["layer"], site["place"]) for site in self.sites if site["part"] == RESIDUAL]
        return np.hstack([heads.loc[queries].to_numpy(), placed.loc[queries, places].to_numpy()])

    def _of(self, part: str) -> pd.DataFrame:
        """The records of one condition, by query."""
        return analysis.rows_of(self._read, {"part": part}).set_index("query_id").sort_index()

    def _by_head(self, part: str, column: str) -> pd.DataFrame:
        """(N, K) values of a column."""
        rows = analysis.rows_of(self._read, {"part": part})
        return rows.pivot(index="query_id", columns="head", values=column)[[str(head) for head in self.heads]]

    def _means(self, values: NDArray[np.float64], queries: pd.DataFrame) -> SimultaneousMeans:
        return analysis.simultaneous_means(values, queries["pair"].to_numpy())
