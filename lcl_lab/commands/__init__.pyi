from .bench_command import bench_program, leaderboard_program
from .dashboard_command import dashboard_program
from .entry_point import main
from .model_commands import convert_program, mine_program, train_program
from .paper_command import paper_program
from .power_command import power_program
from .program import Program, exit_with_status
from .report_command import report_program
from .study_command import all_studies_program, study_program
from .sweep_command import sweep_program
from .zoo_command import zoo_photo_program, zoo_seeds_program, zoo_table_program, zoo_train_program

__all__ = [
    "Program",
    "all_studies_program",
    "bench_program",
    "convert_program",
    "dashboard_program",
    "exit_with_status",
    "leaderboard_program",
    "main",
    "mine_program",
    "paper_program",
    "power_program",
    "report_program",
    "study_program",
    "sweep_program",
    "train_program",
    "zoo_photo_program",
    "zoo_seeds_program",
    "zoo_table_program",
    "zoo_train_program",
]
