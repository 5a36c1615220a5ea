from .convert_config import VISION_TOWER, ConvertConfig
from .openflamingo_checkpoint import convert_openflamingo
from .otter_checkpoint import convert_otter
from .release_kind import convert_release
from .shikra_checkpoint import convert_shikra

__all__ = [
    "VISION_TOWER",
    "ConvertConfig",
    "convert_openflamingo",
    "convert_otter",
    "convert_release",
    "convert_shikra",
]
