"""The tokenizer of LLaMA as `transformers` implemented it when Otter and OpenFlamingo were trained."""

from __future__ import annotations

from typing import Any

from tokenizers import normalizers, processors
from transformers import LlamaTokenizer, PreTrainedTokenizerFast

__all__ = ["legacy_tokenizer_of"]


def legacy_tokenizer_of(tokenizer: LlamaTokenizer) -> PreTrainedTokenizerFast:
    """A LLaMA tokenizer that begins with <s>, and puts a space in front of the text after each special token.

    `LlamaTokenizer` has an option for the latter, `legacy`, but does not save it, and adds no second space to text that
    begins with one.

    Args:
        tokenizer: the tokenizer of a LLaMA; it is changed.
    """
    backend: Any = tokenizer.backend_tokenizer
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.pre_tokenizer = None
    if tokenizer.init_kwargs.get("add_bos_token", True):
        start = (tokenizer.bos_token, tokenizer.bos_token_id)
        backend.post_processor = processors.TemplateProcessing(single=f"{start[0]} $A", special_tokens=[start])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token=tokenizer.bos_token,
        eos_token=tokenizer.eos_token,
        unk_token=tokenizer.unk_token,
        pad_token=tokenizer.pad_token,
        clean_up_tokenization_spaces=False,
    )
