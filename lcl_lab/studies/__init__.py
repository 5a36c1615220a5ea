"""Studies: one module a question, each runnable with `python -m lcl_lab.studies.NAME`.

Modules that begin with an underscore are what all studies share; what a study of one's own is made of is named here.
"""

from lcl_lab.studies._findings import Claim, Findings, Section, Table, accuracy_table, claim, interval
from lcl_lab.studies._options import EpisodeConfig, StudyConfig
from lcl_lab.studies._plan import Asked, Condition, Plan, of_episodes
from lcl_lab.studies._study import Study

__all__ = [
    "Asked",
    "Claim",
    "Condition",
    "EpisodeConfig",
    "Findings",
    "Plan",
    "Section",
    "Study",
    "StudyConfig",
    "Table",
    "accuracy_table",
    "claim",
    "interval",
    "of_episodes",
]
