from __future__ import annotations

import numpy as np
import pandas as pd

from lcl_lab.zoo import paper_claims


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


def test_what_the_paper_found_is_found_where_it_is_so() -> None:
    texts = [claim.text for claim in paper_claims(episodes(PAPER), 0)]
    assert len(texts) == 7
    assert all(sentence.endswith(": holds") for sentence in texts)
    assert "0.510 → 0.770, +0.260 [" in texts[0] or "0.51" in texts[0]


def test_the_opposite_does_not_hold_and_no_difference_cannot_be_told() -> None:
    other = {**PAPER, ("2-way-random", 2): 0.3, ("2-way", 16): 0.515, ("mix", 16): 0.95, ("base", 16): 0.5}
    texts = [claim.text for claim in paper_claims(episodes(other), 0)]
    assert texts[0].endswith(": does not hold")
    assert texts[2].endswith(": inconclusive")
    assert texts[4].endswith(": does not hold")
    assert texts[-1].endswith(": does not hold")
