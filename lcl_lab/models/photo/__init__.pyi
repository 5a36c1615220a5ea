from .image_encoder import PhotoImageEncoder
from .processor import build_photo_processor, photo_image_processor, prepare_photo
from .shared_tower import SharedPhotoTower
from .vision_config import PhotoVisionConfig
from .vision_tower import PhotoVisionModel, load_vision_tower, register_vision_tower, save_vision_tower

__all__ = [
    "PhotoImageEncoder",
    "PhotoVisionConfig",
    "PhotoVisionModel",
    "SharedPhotoTower",
    "build_photo_processor",
    "load_vision_tower",
    "photo_image_processor",
    "prepare_photo",
    "register_vision_tower",
    "save_vision_tower",
]
