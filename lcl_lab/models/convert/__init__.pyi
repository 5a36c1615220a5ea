from .convert_config import VISION_TOWER, ConvertConfig
from .shikra_checkpoint import convert_shikra

__all__ = ["VISION_TOWER", "ConvertConfig", "convert_shikra"]
