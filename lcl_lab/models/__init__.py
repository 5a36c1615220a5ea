"""Models: what answers an episode. Importing the package imports no torch; loading a model does."""

from lcl_lab.models.registry import (
    PROTOTYPE,
    Checkpoint,
    find_checkpoint,
    is_prototype,
    load_model,
    shipped,
    training_of,
)
from lcl_lab.models.types import Answer, Loglik, Model

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
