"""A fast tokenizer with the token ids of the slow LLaMA tokenizer that the releases were trained with.

That tokenizer splits a text at special tokens, strips the spaces around those that were added to LLaMA's vocabulary,
and encodes every piece in between with SentencePiece, which puts a space in front of each. Here these are the `lstrip`
and `rstrip` of the added tokens, and a normalizer that prepends to every piece.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sentencepiece import SentencePieceProcessor
from sentencepiece.sentencepiece_model_pb2 import ModelProto  # type: ignore[attr-defined]
from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, processors
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast

__all__ = ["build_shikra_tokenizer"]

_SPACE = "▁"  # how SentencePiece writes a space


def build_shikra_tokenizer(model: Path, added: Sequence[str]) -> PreTrainedTokenizerFast:
    """Build the tokenizer of a release.

    Args:
        model: a SentencePiece file with a BPE model.
        added: special tokens that follow its vocabulary.

    Returns:
        A tokenizer that starts a text with <s> and pads with <unk>.
    """
    pieces = SentencePieceProcessor(model_file=str(model))
    vocabulary = {pieces.id_to_piece(number): number for number in range(len(pieces))}
    merges = _merges(pieces, vocabulary)
    tokenizer = Tokenizer(BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = _normalizer(pieces)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(_SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", vocabulary["<s>"])]
    )
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in ("<unk>", "<s>", "</s>")])
    tokenizer.add_special_tokens([AddedToken(token, lstrip=True, rstrip=True, normalized=False) for token in added])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="<unk>",
        model_input_names=["input_ids", "attention_mask"],
        clean_up_tokenization_spaces=False,
    )


def _merges(pieces: Any, vocabulary: dict[str, int]) -> list[tuple[str, str]]:
    """All ways to join two pieces to a third one, in the order in which SentencePiece prefers them.

    It prefers high scores and, among equal scores, what is further to the left. LLaMA's runs of spaces all have the
    same, lowest score, so they grow from the left: what joins to a longer run comes first.
    """
    joined = [
        (-pieces.get_score(number), -len(piece), number, piece[:length], piece[length:])
        for piece, number in vocabulary.items()
        if not (pieces.is_byte(number) or pieces.is_control(number) or pieces.is_unknown(number))
        for length in range(1, len(piece))
        if piece[:length] in vocabulary and piece[length:] in vocabulary
    ]
    return [(left, right) for *_, left, right in sorted(joined)]


def _normalizer(pieces: Any) -> normalizers.Normalizer:
    """What SentencePiece does to a text before it splits it; LLaMA's model only changes spaces."""
    model = ModelProto.FromString(pieces.serialized_model_proto())
    settings = model.normalizer_spec
    steps: list[normalizers.Normalizer] = []
    if settings.precompiled_charsmap:
        steps.append(normalizers.Precompiled(settings.precompiled_charsmap))
    if settings.remove_extra_whitespaces:
        steps += [normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")]
    return normalizers.Sequence([*steps, normalizers.Prepend(_SPACE), normalizers.Replace(" ", _SPACE)])
