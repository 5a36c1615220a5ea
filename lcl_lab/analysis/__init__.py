"""Records to estimates: accuracies, intervals, paired tests and the paper's numbers.

Pure functions of arrays and frames; whatever is random takes an explicit generator or seed. statsmodels takes a second
to import, so functions import it themselves.
"""

from __future__ import annotations

from lcl_lab.analysis.accuracy import METRICS, accuracy, cell_rng
from lcl_lab.analysis.dose_response import DoseResponse, dose_response
from lcl_lab.analysis.equivalence import Equivalence, equivalence
from lcl_lab.analysis.intervals import cluster_bootstrap, effective_size, wilson
from lcl_lab.analysis.link_score import LinkScore, link_score
from lcl_lab.analysis.multiple_testing import adjust
from lcl_lab.analysis.paired import (
    PairedDifference,
    cluster_mcnemar,
    difference_interval,
    paired_difference,
    paired_values,
)
from lcl_lab.analysis.position_effects import Places, factorial_drops, places_differ, position_drops
from lcl_lab.analysis.published import published, published_false_ratio
from lcl_lab.analysis.variance import Components, OrderAndDraw, Seeds, components, order_and_draw, seeds
from lcl_lab.analysis.vqa_accuracy import vqa_accuracy

__all__ = [
    "METRICS",
    "Components",
    "DoseResponse",
    "Equivalence",
    "LinkScore",
    "OrderAndDraw",
    "PairedDifference",
    "Places",
    "Seeds",
    "accuracy",
    "adjust",
    "cell_rng",
    "cluster_bootstrap",
    "cluster_mcnemar",
    "components",
    "difference_interval",
    "dose_response",
    "effective_size",
    "equivalence",
    "factorial_drops",
    "link_score",
    "order_and_draw",
    "paired_difference",
    "paired_values",
    "places_differ",
    "position_drops",
    "published",
    "published_false_ratio",
    "seeds",
    "vqa_accuracy",
    "wilson",
]
