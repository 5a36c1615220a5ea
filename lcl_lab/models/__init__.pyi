from .adapter import with_adapter
from .checkpoint import (
    PROTOTYPE,
    Checkpoint,
    find_checkpoint,
    is_on_hub,
    is_prototype,
    is_reference,
    is_shipped,
    needs_preflight,
    shipped,
    strategy_of,
)
from .heuristics import HeuristicModel
from .hub import fetch_adapter_from_hub, fetch_from_hub
from .image_features import ImageFeatures
from .interface import Answer, Loglik, Model, ModelSettings, Status
from .loading import DTYPES, load_model
from .name_check import NameCheck, check_names
from .openai_client import check_server
from .preflight import Requirements, check_requirements, fits_context
from .server import ServerModel
from .shared_images import SharedImages
from .transformers_model import TransformersModel, load_transformers_model
from .user_models import register_model

__all__ = [
    "DTYPES",
    "PROTOTYPE",
    "Answer",
    "Checkpoint",
    "HeuristicModel",
    "ImageFeatures",
    "Loglik",
    "Model",
    "ModelSettings",
    "NameCheck",
    "Requirements",
    "ServerModel",
    "SharedImages",
    "Status",
    "TransformersModel",
    "check_names",
    "check_requirements",
    "check_server",
    "fetch_adapter_from_hub",
    "fetch_from_hub",
    "find_checkpoint",
    "fits_context",
    "is_on_hub",
    "is_prototype",
    "is_reference",
    "is_shipped",
    "load_model",
    "load_transformers_model",
    "needs_preflight",
    "register_model",
    "shipped",
    "strategy_of",
    "with_adapter",
]
