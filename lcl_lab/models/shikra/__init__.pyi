from .shikra_architecture import ShikraConfig, ShikraForConditionalGeneration
from .shikra_image_processor import ShikraImageProcessor
from .shikra_tokenizer import build_shikra_tokenizer

__all__ = ["ShikraConfig", "ShikraForConditionalGeneration", "ShikraImageProcessor", "build_shikra_tokenizer"]
