from .all import AllConfig, run_all
from .answer_status import with_answer_status
from .anytime_section import with_anytime_intervals
from .calibrated_section import with_calibrated_choices
from .comparisons import (
    accuracy_estimate,
    accuracy_findings,
    accuracy_table,
    change,
    evaluated_models,
    metrics_in,
    pairwise_comparisons,
    per_model,
    per_model_and_metric,
    with_condition,
)
from .evaluated_trials import EvaluatedTrial, numbered_studies, trial_sections
from .model_comparison import ModelComparison, compare
from .power_planning import PowerCurves, power_curves
from .protocol_note import with_protocol_note
from .random_answers import findings_of_random_answers
from .run_history import RunHistory, read_history, with_history
from .run_setting import with_setting
from .runner import StudyResult, command_of, configure, run_study
from .sample_size import PowerConfig, SampleSize, required_sample_size
from .search_results import SEARCH_FILE, SearchResults, read_search, search_sections
from .stored_run import ReportConfig, read_result, stored_config, stored_options
from .study import Study
from .study_config import EpisodeConfig, StudyConfig
from .study_registry import find_studies, find_study, register_study
from .sweep_sections import model_section, strategy_section
from .tie_note import with_tie_note
from .trainings import TrainingsConfig

__all__ = [
    "SEARCH_FILE",
    "AllConfig",
    "EpisodeConfig",
    "EvaluatedTrial",
    "ModelComparison",
    "PowerConfig",
    "PowerCurves",
    "ReportConfig",
    "RunHistory",
    "SampleSize",
    "SearchResults",
    "Study",
    "StudyConfig",
    "StudyResult",
    "TrainingsConfig",
    "accuracy_estimate",
    "accuracy_findings",
    "accuracy_table",
    "change",
    "command_of",
    "compare",
    "configure",
    "evaluated_models",
    "find_studies",
    "find_study",
    "findings_of_random_answers",
    "metrics_in",
    "model_section",
    "numbered_studies",
    "pairwise_comparisons",
    "per_model",
    "per_model_and_metric",
    "power_curves",
    "read_history",
    "read_result",
    "read_search",
    "register_study",
    "required_sample_size",
    "run_all",
    "run_study",
    "search_sections",
    "stored_config",
    "stored_options",
    "strategy_section",
    "trial_sections",
    "with_answer_status",
    "with_anytime_intervals",
    "with_calibrated_choices",
    "with_condition",
    "with_history",
    "with_protocol_note",
    "with_setting",
    "with_tie_note",
]
