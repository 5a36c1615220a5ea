"""A tokenizer that needs no vocabulary file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import transformers as hf
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers

__all__ = ["byte_tokenizer"]

_COMMON = ["<pad>", "<s>", "</s>", "<unk>", "<|system|>", "<|user|>", "<|assistant|>"]


def byte_tokenizer(named: Mapping[str, str], unnamed: Iterable[str] = (), prefix_space: bool = False) -> Any:
    """A tokenizer that spells text byte by byte and keeps special tokens whole.

    Args:
        named: Special tokens that become attributes, such as `image_token`.
        unnamed: Special tokens without an attribute.
        prefix_space: Whether text starts with a space, even before a special token, as in a sentencepiece tokenizer.

    Returns:
        The tokenizer, whose vocabulary is the 256 bytes and the special tokens.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: index for index, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = dict.fromkeys([*_COMMON, *named.values(), *unnamed])
    tokenizer.add_special_tokens([AddedToken(token, normalized=prefix_space) for token in special])
    if prefix_space:
        tokenizer.normalizer = normalizers.Prepend(" ")
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        extra_special_tokens=dict(named),
    )
