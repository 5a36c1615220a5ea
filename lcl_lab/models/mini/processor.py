"""The processor of the mini models: a small WordPiece vocabulary, a chat template and an image processor.

Words of descriptions are tokens. Every other word, and so every invented name, is spelled letter by letter. The
question of an episode is a single token, since the first layer only looks a few positions back (see
`lcl_lab.models.mini.architecture`).
"""

from __future__ import annotations

from string import ascii_lowercase, digits

from tokenizers import AddedToken, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import WordPiece
from transformers import LlavaProcessor, PreTrainedTokenizerFast
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from lcl_lab.concepts import IMAGE_SIZE, description_words
from lcl_lab.prompts import QUESTION

__all__ = ["SPECIAL_TOKENS", "TEMPLATE", "build_processor", "with_special_tokens"]

SPECIAL_TOKENS = ("<pad>", "<unk>", "<image>", "<|user|>", "<|assistant|>", "<|end|>")
"""Tokens with a meaning of their own; the first ids of the vocabulary."""
_QUESTION_WORDS = (
    "are describe does have how image is it its many parts pattern second shape the what where which".split()
)
_PUNCTUATION = "?.,[]"
TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message.role + '|>' }}"
    "{% for part in message.content %}{{ '<image>' if part.type == 'image' else part.text }}{% endfor %}"
    "{{ '<|end|>' if message.role == 'assistant' }}{% endfor %}"
    "{{ '<|assistant|>' if add_generation_prompt }}"
)
"""The chat template."""


def build_processor(image_tokens: int) -> LlavaProcessor:
    """A `LlavaProcessor` for square images of `IMAGE_SIZE` pixels.

    Args:
        image_tokens: number of tokens of an image, a square number.
    """
    images = CLIPImageProcessorPil(
        do_resize=True,
        size={"shortest_edge": IMAGE_SIZE},
        crop_size={"height": IMAGE_SIZE, "width": IMAGE_SIZE},
        image_mean=[0.5] * 3,
        image_std=[0.25] * 3,
    )
    return LlavaProcessor(
        image_processor=images,
        tokenizer=_tokenizer(),
        patch_size=IMAGE_SIZE // int(image_tokens**0.5),
        vision_feature_select_strategy="full",
        num_additional_image_tokens=0,
        chat_template=TEMPLATE,
    )


def _tokenizer() -> PreTrainedTokenizerFast:
    words = {*description_words(), *_QUESTION_WORDS, *_PUNCTUATION}
    letters = ascii_lowercase + digits
    vocabulary = [
        *SPECIAL_TOKENS,
        QUESTION,
        *letters,
        *(f"##{letter}" for letter in letters),
        *sorted(words - set(letters)),
    ]
    tokenizer = Tokenizer(WordPiece({word: i for i, word in enumerate(vocabulary)}, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return with_special_tokens(tokenizer)


def with_special_tokens(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    """A tokenizer for `transformers` that keeps `SPECIAL_TOKENS` and the question of an episode whole."""
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in SPECIAL_TOKENS])
    tokenizer.add_tokens([AddedToken(QUESTION, normalized=False)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        unk_token="<unk>",
        eos_token="<|end|>",
        extra_special_tokens={"image_token": "<image>"},
        clean_up_tokenization_spaces=False,
    )
