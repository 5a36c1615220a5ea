from .architecture import IMAGE_TOKENS, MiniConfig, MiniForConditionalGeneration, build_mini
from .clip import build_clip, load_clip, save_clip
from .processor import build_processor
from .prototype import PrototypeModel

__all__ = [
    "IMAGE_TOKENS",
    "MiniConfig",
    "MiniForConditionalGeneration",
    "PrototypeModel",
    "build_clip",
    "build_mini",
    "build_processor",
    "load_clip",
    "save_clip",
]
