"""Records to estimates: accuracies, intervals, paired tests and the paper's numbers.

Pure functions of arrays and frames; whatever is random takes an explicit generator or seed.
"""

from __future__ import annotations

from lcl_lab.analysis.accuracy import METRICS, accuracy
from lcl_lab.analysis.baselines import published, published_false_ratio
from lcl_lab.analysis.dose import DoseResponse, dose_response
from lcl_lab.analysis.equivalence import Equivalence, equivalence
from lcl_lab.analysis.intervals import cluster_bootstrap, effective_size, wilson
from lcl_lab.analysis.link import LinkScore, link_score
from lcl_lab.analysis.paired import PairedDifference, paired_difference

__all__ = [
    "METRICS",
    "DoseResponse",
    "Equivalence",
    "LinkScore",
    "PairedDifference",
    "accuracy",
    "cluster_bootstrap",
    "dose_response",
    "effective_size",
    "equivalence",
    "link_score",
    "paired_difference",
    "published",
    "published_false_ratio",
    "wilson",
]
