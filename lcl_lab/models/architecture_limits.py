"""What some architectures of `transformers` cannot do, known before their weights are loaded."""

from __future__ import annotations

from typing import Any

from lcl_lab.errors import UserError

__all__ = ["check_architecture", "context_length", "has_decoder", "reads_one_image"]

_ONE_IMAGE = {
    "blip-2",
    "florence2",
    "fuyu",
    "git",
    "instructblip",
    "kosmos-2",
    "kosmos-2.5",
}
"""Architectures whose processors write the image tokens of the only image in front of the text themselves."""

_IMAGE_ONLY = "reads an image and no question"
_UNSUITABLE = {
    "blip": "continues a caption and answers no question",
    "diffusion_gemma": "generates by block diffusion, so a candidate has no log-likelihood",
    "evolla": "answers questions about proteins and reads no images",
    "got_ocr2": "transcribes documents, with a prompt that its processor writes",
    "instructblipvideo": "reads a video of four frames",
    "mistral4": "is a text-only language model",
    "pi0": "predicts the actions of a robot and generates no text",
    "pix2struct": "reads its question from the pixels of the image",
    "pp_formulanet": _IMAGE_ONLY,
    "shieldgemma2": "classifies images by safety policies and takes no question",
    "udop": "reads the words and boxes of a document that text recognition found",
    "vision-encoder-decoder": _IMAGE_ONLY,
}


def check_architecture(config: Any, images: int, name: str) -> None:
    """Refuse a model that cannot answer questions about images, or not about so many.

    Args:
        config: the config of a model.
        images: number of images in the longest prompt.
        name: the model's name, for the message.

    Raises:
        UserError: says what the architecture cannot do.
    """
    if config.model_type in _UNSUITABLE:
        reason = f"its architecture, {config.model_type}, {_UNSUITABLE[config.model_type]}"
        raise UserError(reason, option="model", value=name)
    if reads_one_image(config) and images > 1:
        reason = (
            f"its architecture, {config.model_type}, reads one image per prompt and can only be asked without shots"
        )
        raise UserError(f"{reason}; use zero_shot", option="model", value=name)


def reads_one_image(config: Any) -> bool:
    """Whether prompts of a model have exactly one image."""
    return config.model_type in _ONE_IMAGE


def context_length(config: Any) -> int | None:
    """Number of tokens of a prompt and its answer that a model was built for; None if its config names no limit."""
    length: int | None = getattr(config.get_text_config(decoder=True), "max_position_embeddings", None)
    return length


def has_decoder(config: Any) -> bool:
    """Whether a model generates its answers with a decoder of their own, apart from the prompt."""
    text = config.get_text_config()
    return bool(config.is_encoder_decoder or getattr(text, "is_encoder_decoder", False))
