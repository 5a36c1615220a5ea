from .image_encoder import PhotoImageEncoder
from .photo_processor import build_photo_processor, photo_image_processor, prepare_photo
from .photo_vision_config import PhotoVisionConfig
from .photo_vision_tower import PhotoVisionModel, load_vision_tower, register_vision_tower, save_vision_tower
from .shared_photo_tower import SharedPhotoTower

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
