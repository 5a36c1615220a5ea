from .concepts import Concept, Pair, load_dataset, register_dataset
from .episodes import Episode, draw_episode, falsify, falsify_at, rename, reorder
from .errors import UserError
from .evaluation import Condition, Design, EvalItem, answer, episode_design, evaluate
from .models import load_model, register_model
from .store import read_records
from .strategies import Strategy, register_strategy
from .studies import (
    EpisodeConfig,
    Study,
    StudyConfig,
    StudyResult,
    compare,
    power_curves,
    read_result,
    register_study,
    required_sample_size,
    run_study,
)
from .sweeps import run_sweep
from .training import train_model

__all__ = [
    "Concept",
    "Condition",
    "Design",
    "Episode",
    "EpisodeConfig",
    "EvalItem",
    "Pair",
    "Strategy",
    "Study",
    "StudyConfig",
    "StudyResult",
    "UserError",
    "answer",
    "compare",
    "draw_episode",
    "episode_design",
    "evaluate",
    "falsify",
    "falsify_at",
    "load_dataset",
    "load_model",
    "power_curves",
    "read_records",
    "read_result",
    "register_dataset",
    "register_model",
    "register_strategy",
    "register_study",
    "rename",
    "reorder",
    "required_sample_size",
    "run_study",
    "run_sweep",
    "train_model",
]
