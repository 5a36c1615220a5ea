from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from lcl_lab.analysis import MAIN_METRICS, Comparison
from lcl_lab.zoo import paper_claims, read_claims, variation_over_seeds, write_claims


def episodes(accuracies: dict[tuple[str, int], float]) -> pd.DataFrame:
    rows = []
    for (model, shots), value in accuracies.items():
        luck = np.random.default_rng(0).random(400)
        rows += [
            ("world-100", model, shots, 0.0, query, f"p{query % 50}", luck[query] < value, luck[query] < value)
            for query in range(400)
        ]
    columns = ["data", "model", "shots", "false_ratio", "query_id", "pair", "correct_open", "correct_candidate"]
    return pd.DataFrame(rows, columns=columns)


PAPER = {
    ("2-way", 2): 0.51,
    ("2-way-random", 2): 0.77,
    ("2-way", 8): 0.8,
    ("2-way", 16): 0.85,
    ("mix", 2): 0.8,
    ("mix", 8): 0.83,
    ("mix", 16): 0.57,
    ("base", 16): 0.01,
}


def test_checkpoints_are_compared_and_no_strategy_is_called_better() -> None:
    """Whatever the difference, one training each does not show that of the strategies."""
    texts = [claim.text for claim in paper_claims(episodes(PAPER), 0)]
    assert len(texts) == 7
    assert texts[0].startswith("mini/2-way-random above mini/2-way at 2 shots")
    assert "0.51" in texts[0]
    needed = "; no difference is detectable; at least 2 trainings per strategy are needed"
    assert all(text.endswith(f": inconclusive (one training each){needed}") for text in texts[:2])
    assert all(text.endswith(f": inconclusive (one training){needed}") for text in texts[2:6])


def test_a_claim_about_a_checkpoint_is_assessed() -> None:
    assert paper_claims(episodes(PAPER), 0)[-1].text.endswith(": holds")
    other = {**PAPER, ("base", 16): 0.5}
    assert paper_claims(episodes(other), 0)[-1].text.endswith(": does not hold")


def test_every_inconclusive_claim_says_what_would_decide_it() -> None:
    near = {**PAPER, ("base", 16): 0.1}
    claims = paper_claims(episodes(near), 0)
    assert all(claim.verdict is not None and claim.verdict.startswith("inconclusive") for claim in claims)
    assert all(claim.undecided is not None for claim in claims)
    assert "; detectable: 0." in claims[-1].text
    assert paper_claims(episodes(near), 0, floor_margin=0.3)[-1].text.endswith(": holds")
    assert "below 0.3" in paper_claims(episodes(near), 0, floor_margin=0.3)[-1].text


def test_stored_claims_are_numbers_which_become_text_when_they_are_read(tmp_path: Path) -> None:
    claims = paper_claims(episodes({**PAPER, ("base", 16): 0.1}), 0)
    assert isinstance(claims[0].measured, Comparison)
    first = replace(claims[0], measured=replace(claims[0].measured, value_a=0.9225))
    write_claims(tmp_path / "claims.json", [first, *claims[1:]])
    assert "0.923" not in (tmp_path / "claims.json").read_text()
    read = read_claims(tmp_path / "claims.json")
    assert ": 0.923 → " in read[0].text
    assert read == [first, *claims[1:]]


def test_seeds_that_are_all_right_still_have_an_interval() -> None:
    seeds = episodes({("seed-0", 16): 1.0, ("seed-1", 16): 1.0, ("seed-0", 2): 0.4, ("seed-1", 2): 0.6})
    found = variation_over_seeds(seeds)
    assert set(found) == {("world-100", shots, 0.0, metric) for shots in (2, 16) for metric in MAIN_METRICS}
    perfect, differing = found["world-100", 16, 0.0, "candidate"], found["world-100", 2, 0.0, "candidate"]
    assert (perfect.mean, perfect.high, perfect.between_seeds) == (1, 1, 0)
    assert perfect.low < 0.95
    assert perfect.between_seeds_high > 0.05
    assert differing.between_seeds > 0.1
