"""Models: what answers an episode. Importing the package imports no torch; loading a model does."""

from lcl_lab.models.checkpoint import (
    PROTOTYPE,
    Checkpoint,
    find_checkpoint,
    is_prototype,
    load_model,
    shipped,
    training_of,
)
from lcl_lab.models.interface import Answer, Loglik, Model

__all__ = [
    "PROTOTYPE",
    "Answer",
    "Checkpoint",
    "Loglik",
    "Model",
    "find_checkpoint",
    "is_prototype",
    "load_model",
    "shipped",
    "training_of",
]
