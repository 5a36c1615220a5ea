from .log import METRICS_FILE
from .loop import has_bf16
from .mine_config import MineConfig
from .neighbour_mining import mine_neighbours, write_neighbours
from .network import check_network
from .plan import VISION, TrainingPlan, check_training
from .pretrain_clip import train_clip
from .run import train_strategy
from .train_config import TrainConfig
from .trained_model import TrainedModel, train_model
from .worker_group import train_on_workers

__all__ = [
    "METRICS_FILE",
    "VISION",
    "MineConfig",
    "TrainConfig",
    "TrainedModel",
    "TrainingPlan",
    "check_network",
    "check_training",
    "has_bf16",
    "mine_neighbours",
    "train_clip",
    "train_model",
    "train_on_workers",
    "train_strategy",
    "write_neighbours",
]
