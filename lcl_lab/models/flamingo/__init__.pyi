from .flamingo_config import FlamingoConfig
from .flamingo_model import FlamingoForConditionalGeneration
from .flamingo_processor import FlamingoImageProcessor, FlamingoProcessor

__all__ = ["FlamingoConfig", "FlamingoForConditionalGeneration", "FlamingoImageProcessor", "FlamingoProcessor"]
