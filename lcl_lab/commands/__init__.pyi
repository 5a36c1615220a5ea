from .program import Program, exit_with_status
from .study_command import study_program

__all__ = ["Program", "exit_with_status", "study_program"]
