from .accuracies import accuracy, cell_rng, require_columns
from .dose_curve import DoseResponse, dose_response
from .estimates import Comparison, Estimate, concat_estimates
from .intervals import cluster_bootstrap, effective_size, wilson
from .link_scores import LinkScore, link_score
from .logistic import clustered_logistic
from .metrics import METRICS
from .missing_answers import AnswerStatus, answer_status, complete_queries
from .multiple_testing import adjust
from .paired import PairedDifference, cluster_mcnemar, difference_interval, paired_difference, paired_values
from .position_effects import PositionEffects, factorial_drops, position_drops, positions_differ
from .power_simulation import Clustering, observed_clustering, pairs_needed, power
from .published_results import published, published_false_ratio
from .tost import Equivalence, equivalence
from .variance import Components, OrderAndDraw, Seeds, components, order_and_draw, seeds
from .vqa_scoring import normalise, vqa_accuracy

__all__ = [
    "METRICS",
    "AnswerStatus",
    "Clustering",
    "Comparison",
    "Components",
    "DoseResponse",
    "Equivalence",
    "Estimate",
    "LinkScore",
    "OrderAndDraw",
    "PairedDifference",
    "PositionEffects",
    "Seeds",
    "accuracy",
    "adjust",
    "answer_status",
    "cell_rng",
    "cluster_bootstrap",
    "cluster_mcnemar",
    "clustered_logistic",
    "complete_queries",
    "components",
    "concat_estimates",
    "difference_interval",
    "dose_response",
    "effective_size",
    "equivalence",
    "factorial_drops",
    "link_score",
    "normalise",
    "observed_clustering",
    "order_and_draw",
    "paired_difference",
    "paired_values",
    "pairs_needed",
    "position_drops",
    "positions_differ",
    "power",
    "published",
    "published_false_ratio",
    "require_columns",
    "seeds",
    "vqa_accuracy",
    "wilson",
]
