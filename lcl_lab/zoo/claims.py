"""What the paper found about its strategies, and what the shipped models show: reported, never trained for.

There is one training of each strategy, so the checkpoints are compared and no verdict on a strategy is given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import ConfigDict, Field, TypeAdapter

from lcl_lab import analysis, reporting
from lcl_lab.analysis.detection import SEVERAL_TRAININGS, Detectable, detectable
from lcl_lab.analysis.estimates import Comparison, Estimate
from lcl_lab.atomic import write_text
from lcl_lab.reporting.findings import ONE_TRAINING, ONE_TRAINING_EACH, Verdict

__all__ = ["ZooClaim", "paper_claims", "read_claims", "write_claims"]

_DATA = "world-100"


@dataclass(frozen=True)
class ZooClaim:
    """A claim of the paper, and what was measured on the shipped models.

    Attributes:
        claim: the claim in words.
        measured: the accuracy, or the change in accuracy, that it is about.
        verdict: whether it holds.
        undecided: of an inconclusive one, what would have been detected and what would decide it.
    """

    claim: str
    measured: Annotated[Comparison | Estimate, Field(union_mode="left_to_right")]
    verdict: Verdict
    undecided: Detectable | None

    @property
    def text(self) -> str:
        """The claim, the numbers and the verdict as one sentence."""
        change = "{measured.value_a:.3f} → {measured.value_b:.3f}, " if isinstance(self.measured, Comparison) else ""
        values = {"claim": self.claim, "measured": self.measured, "verdict": self.verdict}
        template = f"{{claim}}, {{metric}}: {change}{{measured}}: {{verdict}}"
        return reporting.Statement(template, values, self.measured.metric, undecided=self.undecided).text


_CLAIMS = TypeAdapter(list[ZooClaim], config=ConfigDict(ser_json_inf_nan="strings"))


def write_claims(path: Path, claims: Sequence[ZooClaim]) -> None:
    """Store claims as JSON with their numbers, which become text when they are shown."""
    write_text(path, _CLAIMS.dump_json(list(claims), indent=1).decode() + "\n")


def read_claims(path: Path) -> list[ZooClaim]:
    """The claims that `write_claims` stored."""
    return _CLAIMS.validate_json(path.read_bytes())


def paper_claims(records: pd.DataFrame, seed: int, floor_margin: float = 0.1) -> list[ZooClaim]:
    """Assess each claim by each metric, on `world-100`.

    Args:
        records: records of episodes of all shipped models, as `evaluate_zoo` returns them.
        seed: random seed of the intervals.
        floor_margin: accuracy below which a model names nothing.
    """
    true = records[(records["data"] == _DATA) & (records["false_ratio"] == 0)]
    shots = sorted(map(int, true["shots"].unique()))
    most, middle = shots[-1], shots[len(shots) // 2]
    return [
        *_compared(
            true,
            "mini/2-way-random above mini/2-way at 2 shots (paper: 0.77 against 0.51)",
            {"model": "2-way", "shots": 2},
            {"model": "2-way-random", "shots": 2},
            ONE_TRAINING_EACH,
        ),
        *_compared(
            true,
            f"mini/2-way rises with shots, from 2 to {most}",
            {"model": "2-way", "shots": 2},
            {"model": "2-way", "shots": most},
            ONE_TRAINING,
        ),
        *_compared(
            true,
            f"mini/mix falls at {most} shots, against {middle} (paper: 0.83 at 6, 0.57 at 16)",
            {"model": "mix", "shots": middle},
            {"model": "mix", "shots": most},
            ONE_TRAINING,
        ),
        _base(true[(true["model"] == "base") & (true["shots"] == most)], most, seed, floor_margin),
    ]


def _compared(
    records: pd.DataFrame, claim: str, a: Mapping[str, Any], b: Mapping[str, Any], verdict: Verdict
) -> Iterator[ZooClaim]:
    """The change from a to b on the queries that both answered, and the verdict on their strategies."""
    for metric in analysis.MAIN_METRICS:
        change = analysis.paired_difference(records, analysis.METRICS[metric], a, b)
        comparison = Comparison.from_difference(change, metric=metric, a=a, b=b)
        yield ZooClaim(claim, comparison, verdict, SEVERAL_TRAININGS)


def _base(rows: pd.DataFrame, shots: int, seed: int, floor: float) -> ZooClaim:
    correct = rows["correct_open"].to_numpy(dtype=np.float64)
    low, high = analysis.cluster_bootstrap(correct, rows["pair"].to_numpy(), np.random.default_rng([seed, 9]))
    accuracy = Estimate(
        value=float(correct.mean()),
        low=low,
        high=high,
        n=len(rows),
        clusters=rows["pair"].nunique(),
        estimand="accuracy",
        metric="open-ended",
        model="base",
        method="cluster bootstrap over concept pairs",
    )
    verdict: Verdict = "holds" if high < floor else "does not hold" if low > floor else "inconclusive"
    undecided = detectable(accuracy, [floor]) if verdict == "inconclusive" else None
    claim = (
        f"mini/base is near 0 (below {reporting.format_value(floor)}) at {shots} shots on names that it has not seen"
    )
    return ZooClaim(claim, accuracy, verdict, undecided)
