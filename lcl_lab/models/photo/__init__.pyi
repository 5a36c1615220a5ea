from .image_encoder import PhotoImageEncoder
from .processor import build_photo_processor
from .vision_config import PhotoVisionConfig
from .vision_tower import PhotoVisionModel, load_vision_tower, register_vision_tower, save_vision_tower

__all__ = [
    "PhotoImageEncoder",
    "PhotoVisionConfig",
    "PhotoVisionModel",
    "build_photo_processor",
    "load_vision_tower",
    "register_vision_tower",
    "save_vision_tower",
]
