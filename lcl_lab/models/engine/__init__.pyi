from .chat_template import ChatTemplate, TemplateError
from .engine_choice import choose_engine
from .feature_disk_cache import FeatureDiskCache
from .fork_engine import ForkEngine
from .prefix_engine import PrefixEngine
from .prompt_encoder import EncodedPrompt, PromptEncoder, load_prompt_encoder
from .reference_engine import ReferenceEngine

__all__ = [
    "ChatTemplate",
    "EncodedPrompt",
    "FeatureDiskCache",
    "ForkEngine",
    "PrefixEngine",
    "PromptEncoder",
    "ReferenceEngine",
    "TemplateError",
    "choose_engine",
    "load_prompt_encoder",
]
