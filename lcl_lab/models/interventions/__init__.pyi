from .ablation import AblatedModel, MeanOutputs, mean_outputs
from .attention_head import Head
from .attention_probe import AttentionProbe
from .head_modules import heads_of, heads_of_checkpoint
from .parts import PromptParts, name_alignment
from .patching import Patcher, Site, TokenKind

__all__ = [
    "AblatedModel",
    "AttentionProbe",
    "Head",
    "MeanOutputs",
    "Patcher",
    "PromptParts",
    "Site",
    "TokenKind",
    "heads_of",
    "heads_of_checkpoint",
    "mean_outputs",
    "name_alignment",
]
