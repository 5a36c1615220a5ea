from .architecture_matrix import architectures_program
from .coverage import coverage_program
from .dashboard import dashboard_program
from .evaluator import evaluator_program
from .sweep import sweep_program
from .workers import workers_program

__all__ = [
    "architectures_program",
    "coverage_program",
    "dashboard_program",
    "evaluator_program",
    "sweep_program",
    "workers_program",
]
