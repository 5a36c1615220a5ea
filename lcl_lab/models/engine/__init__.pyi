from .feature_disk_cache import FeatureDiskCache
from .prefix_engine import PrefixEngine, PrefixSharingError, can_share
from .prompt_encoder import EncodedPrompt, PromptEncoder
from .reference_engine import ReferenceEngine

__all__ = [
    "EncodedPrompt",
    "FeatureDiskCache",
    "PrefixEngine",
    "PrefixSharingError",
    "PromptEncoder",
    "ReferenceEngine",
    "can_share",
]
