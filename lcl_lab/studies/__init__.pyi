from .all import AllConfig, run_all
from .answer_status import with_answer_status
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
)
from .model_comparison import ModelComparison, compare
from .runner import StudyResult, command_of, configure, run_study
from .sample_size import PowerConfig, SampleSize, required_sample_size
from .study import Study
from .study_config import EpisodeConfig, StudyConfig
from .study_registry import find_studies, find_study, register_study

__all__ = [
    "AllConfig",
    "EpisodeConfig",
    "ModelComparison",
    "PowerConfig",
    "SampleSize",
    "Study",
    "StudyConfig",
    "StudyResult",
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
    "metrics_in",
    "pairwise_comparisons",
    "per_model",
    "per_model_and_metric",
    "register_study",
    "required_sample_size",
    "run_all",
    "run_study",
    "with_answer_status",
]
