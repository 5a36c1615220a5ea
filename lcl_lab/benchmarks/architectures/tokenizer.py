"""A tokenizer that needs no vocabulary file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import transformers as hf
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

__all__ = ["byte_tokenizer"]

_COMMON = ["<pad>", "<s>", "</s>", "<unk>", "<|system|>", "<|user|>", "<|assistant|>"]


def byte_tokenizer(named: Mapping[str, str], unnamed: Iterable[str] = (), words: Iterable[str] = ()) -> Any:
    """A tokenizer that spells text byte by byte and keeps special tokens whole.

    Args:
        named: Special tokens that become attributes, such as `image_token`.
        unnamed: Special tokens without an attribute.
        words: Words of the vocabulary, for processors that expect ordinary tokens; text then starts with a space.

    Returns:
        The tokenizer, whose vocabulary is the 256 bytes, the words with their prefixes and the special tokens.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = dict.fromkeys((word[:end], word[end]) for word in words for end in range(1, len(word)))
    vocabulary = [*alphabet, *("".join(pair) for pair in merges)]
    tokenizer = Tokenizer(models.BPE({token: index for index, token in enumerate(vocabulary)}, list(merges)))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=bool(merges), use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = dict.fromkeys([*_COMMON, *named.values(), *unnamed])
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in special])
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        extra_special_tokens=dict(named),
    )
