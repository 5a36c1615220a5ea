from .dashboard_command import dashboard_program
from .entry_point import main
from .model_commands import convert_program, mine_program, train_program
from .power_command import power_program
from .program import Program, exit_with_status
from .study_command import all_studies_program, study_program
from .sweep_command import sweep_program
from .zoo_command import zoo_seeds_program, zoo_table_program, zoo_train_program

__all__ = [
    "Program",
    "all_studies_program",
    "convert_program",
    "dashboard_program",
    "exit_with_status",
    "main",
    "mine_program",
    "power_program",
    "study_program",
    "sweep_program",
    "train_program",
    "zoo_seeds_program",
    "zoo_table_program",
    "zoo_train_program",
]
