from .base_tasks import CORPUS, BaseTasks
from .content import strategy_fingerprint
from .distributions import (
    Distribution,
    exponential_shots,
    fixed_shots,
    negatives,
    released_shots,
    uniform_shots,
)
from .link_episodes import LinkEpisodes
from .naming_tasks import NamingTasks
from .original_tasks import OriginalTasks
from .registry import available_strategies, find_strategy, register_strategy
from .stages import link_stages, sampled_stage
from .strategy import Draw, Stage, Strategy, TrainingData

__all__ = [
    "CORPUS",
    "BaseTasks",
    "Distribution",
    "Draw",
    "LinkEpisodes",
    "NamingTasks",
    "OriginalTasks",
    "Stage",
    "Strategy",
    "TrainingData",
    "available_strategies",
    "exponential_shots",
    "find_strategy",
    "fixed_shots",
    "link_stages",
    "negatives",
    "register_strategy",
    "released_shots",
    "sampled_stage",
    "strategy_fingerprint",
    "uniform_shots",
]
