from .driver import run_sweep
from .search_config import Search
from .sweep_config import Stopping, SweepConfig, SweepOptions
from .sweep_paths import SweepPaths
from .sweep_result import SweepResult
from .trial import EvaluationTrial, TrainingTrial, Trial, check_sweep

__all__ = [
    "EvaluationTrial",
    "Search",
    "Stopping",
    "SweepConfig",
    "SweepOptions",
    "SweepPaths",
    "SweepResult",
    "TrainingTrial",
    "Trial",
    "check_sweep",
    "run_sweep",
]
