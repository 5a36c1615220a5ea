"""The processor of the photo models: a byte-level BPE that can write any name, a chat template, an image processor.

The question of an episode is a single token, as in the mini models, so that an image is close to its name.
"""

from __future__ import annotations

from collections.abc import Iterable

from PIL.Image import Image
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer
from torch import Tensor
from transformers import LlavaProcessor, PreTrainedTokenizerFast
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from lcl_lab.models.mini.processor import SPECIAL_TOKENS, TEMPLATE, with_special_tokens
from lcl_lab.prompts import QUESTION

__all__ = ["build_photo_processor", "photo_image_processor", "prepare_photo"]

_SIZE = 224  # pixels a side
_TOKENS = 1024


def build_photo_processor(names: Iterable[str], image_tokens: int) -> LlavaProcessor:
    """A `LlavaProcessor` for photos.

    Args:
        names: names from which the tokenizer learns what letters often follow each other.
        image_tokens: number of tokens of an image, a square number.
    """
    return LlavaProcessor(
        image_processor=photo_image_processor(),
        tokenizer=_tokenizer(names),
        patch_size=_SIZE // int(image_tokens**0.5),
        vision_feature_select_strategy="full",
        num_additional_image_tokens=0,
        chat_template=TEMPLATE,
    )


def photo_image_processor() -> CLIPImageProcessorPil:
    """Scales the shorter side of an image to 224 pixels, and cuts off what is left of the longer one."""
    return CLIPImageProcessorPil(
        do_resize=True,
        size={"shortest_edge": _SIZE},
        crop_size={"height": _SIZE, "width": _SIZE},
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    )


def prepare_photo(image: Image) -> Tensor:
    """An image as the input (1, 3, 224, 224) of the vision tower."""
    pixel_values: Tensor = photo_image_processor()([image.convert("RGB")], return_tensors="pt")["pixel_values"]
    return pixel_values


def _tokenizer(names: Iterable[str]) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=_TOKENS,
        special_tokens=[*SPECIAL_TOKENS, QUESTION],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(names, trainer)
    return with_special_tokens(tokenizer)
