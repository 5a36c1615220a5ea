from .driver import run_sweep
from .sweep_config import Stopping, SweepConfig, SweepOptions
from .sweep_paths import SweepPaths
from .sweep_result import SweepResult
from .trial import Trial, check_sweep

__all__ = [
    "Stopping",
    "SweepConfig",
    "SweepOptions",
    "SweepPaths",
    "SweepResult",
    "Trial",
    "check_sweep",
    "run_sweep",
]
