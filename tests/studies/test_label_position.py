"""What the report says about simulated answers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from lcl_lab.analysis import METRICS
from lcl_lab.reporting import Findings
from lcl_lab.studies.label_position import FACTORIAL, ONE, STUDY, LabelPosition

SHOTS = 4
Reader = Callable[[np.ndarray], np.ndarray]


def last_label(flips: np.ndarray) -> np.ndarray:
    """Effects add up on the log-odds scale."""
    return 1 / (1 + np.exp(1.5 * flips[:, -1] + 0.7 * flips[:, 0] - 2))


def majority(flips: np.ndarray) -> np.ndarray:
    return np.array([0.97, 0.97, 0.5, 0.03, 0.03])[flips.sum(axis=1)]


def findings(reader: Reader, prompts: int, share: float = 0.25) -> Findings:
    """The findings about a model with these chances of a right answer, at 50 pairs."""
    rng = np.random.default_rng(0)
    single = np.vstack([np.zeros((1, SHOTS), int), np.eye(SHOTS, dtype=int)])
    designs = [(ONE, np.tile(single, (100, 1))), (FACTORIAL, (rng.random((prompts, SHOTS)) < share).astype(int))]
    rows = []
    for design, flips in designs:
        right = rng.random(len(flips)) < reader(flips)
        per_query = len(single) if design == ONE else 1
        for number, (flip, correct) in enumerate(zip(flips, right, strict=True)):
            query = number // per_query
            rows.append(
                {
                    "model": "mini/2-way",
                    "design": design,
                    "position": float(number % per_query) if design == ONE else None,
                    "query_id": query,
                    "pair": f"pair {query % 50}",
                    "support": [{"false": bool(false)} for false in flip],
                    **dict.fromkeys(METRICS.values(), bool(correct)),
                }
            )
    config = LabelPosition.create(model=("mini/2-way",), shots=SHOTS, factorial=prompts, share=share)
    assert STUDY.analyse is not None
    return STUDY.analyse(config, pd.DataFrame(rows))


def text(reported: Findings) -> str:
    return "\n".join(statement.text for section in reported.sections for statement in section.statements)


def test_one_label_of_a_prompt_is_false_on_average_by_default() -> None:
    assert LabelPosition.create().probability_false == 1 / 16
    assert LabelPosition.create(shots=4).probability_false == 1 / 4
    assert LabelPosition.create(share=0.25).probability_false == 0.25


def test_the_factorial_design_says_nothing_about_a_single_false_label() -> None:
    """In a majority vote one false label changes nothing, and one of several does."""
    reported = findings(majority, 800)
    estimands = {(row.design, row.estimate > 0.1) for row in reported.sections[0].tables[0].frame.itertuples()}
    assert (FACTORIAL, True) in estimands and (ONE, True) not in estimands
    assert "averaged over the other labels of these prompts" in text(reported)


def test_one_design_decides_the_claims_and_a_drop_is_positive() -> None:
    reported = findings(last_label, 400)
    matters, first = reported.claims
    (p_value,) = {
        statement.values["p"]
        for statement in reported.sections[0].statements
        if statement.metric == "candidate" and statement.values["design"] == ONE
    }
    assert (matters.p_value, matters.subject) == (p_value, "mini/2-way, one at a time")
    assert matters.verdict == ("holds" if p_value < 0.05 else "inconclusive")
    drops = reported.sections[0].tables[0].frame
    drops = drops[drops["design"] == ONE].set_index("position")["estimate"]
    assert drops[SHOTS] > 0
    assert first.estimate is not None
    assert first.estimate.value == pytest.approx(drops[1] - drops[SHOTS])
    assert "drop at position 1 minus drop at position 4" in first.subject
    assert "this design decides the claims" in text(reported)


def test_without_factorial_prompts_nothing_is_said_about_them() -> None:
    report = text(findings(last_label, 0))
    assert "one at a time" in report
    assert "factorial" not in report
