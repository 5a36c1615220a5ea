from .accuracies import accuracy, cell_rng, require_columns
from .answer_sources import RATES, answer_choices, answer_rates, copying, prior_agreement
from .betting import ConfidenceSequence, confidence_sequence
from .calibrated_scores import calibrated_choices
from .chance_correction import (
    ChanceCorrectedDifference,
    chance_corrected,
    chance_corrected_accuracy,
    chance_corrected_difference,
)
from .choice_calibration import Calibration, calibration, confidence_bins, true_probability
from .detection import SEVERAL_TRAININGS, Detectable, detectable
from .dose_crossing import HalfCrossing, half_crossing
from .dose_curve import DoseResponse, dose_response
from .effect_sizes import CeilingShare, OddsRatio, ceiling_share, odds_ratio
from .estimates import PAIRED, Comparison, Estimate, IntervalEstimate, concat_estimates
from .firth_logistic import penalised_logistic
from .importance import FEW_TRIALS, parameter_importance
from .intervals import cluster_bootstrap, effective_size, intracluster_correlation, wilson
from .link_scores import LinkScore, flip_rate, link_score, link_verdict
from .logistic import clustered_logistic
from .metrics import CALIBRATED_METRICS, MAIN_METRICS, METRICS
from .missing_answers import AnswerStatus, answer_status, complete_queries
from .multiple_testing import adjust
from .paired import PairedDifference, difference_interval, difference_of_values, paired_difference, paired_values
from .position_effects import PositionEffects, detectable_drop, factorial_effects, position_drops, positions_differ
from .power_simulation import (
    Clustering,
    observed_clustering,
    pairs_needed,
    power,
    power_curve,
    strategy_pairs_needed,
    strategy_power,
)
from .published_results import published, published_false_ratio
from .rejection import SCORES, TPR, accepted_accuracy, answer_scores, auroc, fpr_at_tpr, tpr_threshold
from .rows import rows_of, select_rows
from .searched_option import SearchedOption
from .shares_of_variance import DesignSize, Enlargement, VarianceComponent, VarianceShares, variance_shares
from .sign_flip import cluster_mcnemar, sign_flip_interval
from .simultaneous import SimultaneousMeans, simultaneous_means
from .stepwise import step_changes
from .strategy_difference import StrategyDifference, change_of_strategy, difference_of_strategies
from .ties import has_several_names, is_tie, score_ties, tied_candidates
from .tost import Equivalence, clusters_needed, equivalence
from .variance import Components, OrderAndDraw, Seeds, components, order_and_draw, seeds
from .vqa_scoring import normalise, vqa_accuracy

__all__ = [
    "CALIBRATED_METRICS",
    "FEW_TRIALS",
    "MAIN_METRICS",
    "METRICS",
    "PAIRED",
    "RATES",
    "SCORES",
    "SEVERAL_TRAININGS",
    "TPR",
    "AnswerStatus",
    "Calibration",
    "CeilingShare",
    "ChanceCorrectedDifference",
    "Clustering",
    "Comparison",
    "Components",
    "ConfidenceSequence",
    "DesignSize",
    "Detectable",
    "DoseResponse",
    "Enlargement",
    "Equivalence",
    "Estimate",
    "HalfCrossing",
    "IntervalEstimate",
    "LinkScore",
    "OddsRatio",
    "OrderAndDraw",
    "PairedDifference",
    "PositionEffects",
    "SearchedOption",
    "Seeds",
    "SimultaneousMeans",
    "StrategyDifference",
    "VarianceComponent",
    "VarianceShares",
    "accepted_accuracy",
    "accuracy",
    "adjust",
    "answer_choices",
    "answer_rates",
    "answer_scores",
    "answer_status",
    "auroc",
    "calibrated_choices",
    "calibration",
    "ceiling_share",
    "cell_rng",
    "chance_corrected",
    "chance_corrected_accuracy",
    "chance_corrected_difference",
    "change_of_strategy",
    "cluster_bootstrap",
    "cluster_mcnemar",
    "clustered_logistic",
    "clusters_needed",
    "complete_queries",
    "components",
    "concat_estimates",
    "confidence_bins",
    "confidence_sequence",
    "copying",
    "detectable",
    "detectable_drop",
    "difference_interval",
    "difference_of_strategies",
    "difference_of_values",
    "dose_response",
    "effective_size",
    "equivalence",
    "factorial_effects",
    "flip_rate",
    "fpr_at_tpr",
    "half_crossing",
    "has_several_names",
    "intracluster_correlation",
    "is_tie",
    "link_score",
    "link_verdict",
    "normalise",
    "observed_clustering",
    "odds_ratio",
    "order_and_draw",
    "paired_difference",
    "paired_values",
    "pairs_needed",
    "parameter_importance",
    "penalised_logistic",
    "position_drops",
    "positions_differ",
    "power",
    "power_curve",
    "prior_agreement",
    "published",
    "published_false_ratio",
    "require_columns",
    "rows_of",
    "score_ties",
    "seeds",
    "select_rows",
    "sign_flip_interval",
    "simultaneous_means",
    "step_changes",
    "strategy_pairs_needed",
    "strategy_power",
    "tied_candidates",
    "tpr_threshold",
    "true_probability",
    "variance_shares",
    "vqa_accuracy",
    "wilson",
]
