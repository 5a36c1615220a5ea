"""The metrics of an answer. A separate module, so that their names cost no import of pandas or SciPy."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["CALIBRATED_METRICS", "MAIN_METRICS", "METRICS"]

METRICS: Mapping[str, str] = {
    "open-ended": "correct_open",
    "candidate": "correct_candidate",
    "candidate-raw": "correct_candidate_raw",
}
"""Each metric's column of the records. ``open-ended``: the generated answer by the rule of the run;
``candidate``: the argmax of the candidates' log-likelihoods per token; ``candidate-raw``: the same without length
normalisation."""
MAIN_METRICS = ("candidate", "open-ended")
"""The metrics of findings, to which a page can be restricted; ``candidate-raw`` appears in tables only."""
CALIBRATED_METRICS: Mapping[str, str] = {
    "candidate-pmi": "correct_candidate_pmi",
    "candidate-contextual": "correct_candidate_contextual",
    "candidate-batch": "correct_candidate_batch",
}
"""Each calibrated metric's column, which `calibrated_choices` computes from stored log-likelihoods: that of one record
can depend on the others of its condition."""
