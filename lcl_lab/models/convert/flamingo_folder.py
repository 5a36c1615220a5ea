"""Writes the weights of an OpenFlamingo or Otter with its config and processor as one folder."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from transformers import AutoTokenizer, CLIPVisionConfig, GenerationConfig, LlamaTokenizer

from lcl_lab.errors import UserError
from lcl_lab.models.convert.flamingo_names import ReleasedWeights
from lcl_lab.models.convert.legacy_tokenizer import legacy_tokenizer_of
from lcl_lab.models.flamingo.flamingo_config import FlamingoConfig
from lcl_lab.models.flamingo.flamingo_model import FlamingoForConditionalGeneration
from lcl_lab.models.flamingo.flamingo_processor import FlamingoImageProcessor, FlamingoProcessor
from lcl_lab.models.flamingo.language_model import LAYERS
from lcl_lab.models.saving import save_checkpoint

__all__ = ["END", "IMAGE", "load_tokenizer", "write_flamingo"]

END, IMAGE = "<|endofchunk|>", "<image>"
"""Tokens that end an answer and that stand for an image."""
_FEWEST_TOKENS = 256  # of a vocabulary; one per byte


def load_tokenizer(folder: str, text_config: Any, special_tokens: tuple[str, ...], rows: int) -> Any:
    """The tokenizer of a language model with the release's tokens after its own, and a token for padding.

    Args:
        folder: folder or hub id of the language model.
        text_config: config of the language model.
        special_tokens: the release's tokens, in its order.
        rows: number of rows of the release's embedding.

    Raises:
        UserError: there is no tokenizer.
    """
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, config=text_config, trust_remote_code=False)
    except Exception as error:  # of many kinds, where a file is missing or damaged
        reason = f"its tokenizer cannot be loaded: {' '.join(str(error).split())[:200]}"
        raise UserError(reason, option="language_model", value=folder) from error
    if len(tokenizer) < _FEWEST_TOKENS:  # without any file, an empty one is made
        raise UserError("has no tokenizer", option="language_model", value=folder)
    if isinstance(tokenizer, LlamaTokenizer):
        tokenizer = legacy_tokenizer_of(tokenizer)
    tokenizer.add_tokens(list(special_tokens), special_tokens=True)
    # Some tokenizers have a token for padding that they did not have at the time, so that releases have one more.
    if tokenizer.pad_token is None or len(tokenizer) < rows:
        tokenizer.add_special_tokens({"pad_token": "<PAD>"})
    tokenizer.padding_side = "left"
    return tokenizer


def write_flamingo(
    folder: Path,
    source: Path,
    weights: ReleasedWeights,
    text_config: Any,
    vision_config: CLIPVisionConfig,
    tokenizer: Any,
    prompts: Literal["openflamingo", "otter"],
) -> None:
    """Write a checkpoint of `FlamingoForConditionalGeneration`.

    Args:
        folder: folder to write to.
        source: where the weights were read, for error messages.
        weights: all weights of the model.
        text_config: config of the language model, with the number of rows of its embedding.
        vision_config: config of the image tower.
        tokenizer: the tokenizer, with the release's tokens.
        prompts: whose prompts and image processing the model was trained with.

    Raises:
        UserError: tensors are missing, or do not match the configs.
    """
    end, image = tokenizer.convert_tokens_to_ids([END, IMAGE])
    frames = weights.resampler.get("frame_embedding")
    config = FlamingoConfig(
        text_config,
        vision_config,
        cross_attn_every_n_layers=weights.cross_attn_every_n_layers(source),
        image_token_id=image,
        resampler_layers=1 + max(int(key.split(".")[1]) for key in weights.resampler if key.startswith("layers.")),
        resampler_latents=len(weights.resampler["latents"]),
        num_frames=0 if frames is None else len(frames),
    )
    with torch.device("meta"):
        model = FlamingoForConditionalGeneration(config)
    state = _model_state(weights, config)
    _check_shapes(model, state, source)
    model.load_state_dict(state, strict=False, assign=True)
    model.tie_weights()
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id, eos_token_id=end, pad_token_id=tokenizer.pad_token_id
    )
    size = vision_config.image_size
    images = FlamingoImageProcessor(
        rounds_crop=prompts == "openflamingo",
        size={"shortest_edge": size},
        crop_size={"height": size, "width": size},
    )
    template = (files("lcl_lab") / "data" / f"{prompts}.jinja").read_text(encoding="utf-8")
    save_checkpoint(model, FlamingoProcessor(images, tokenizer, chat_template=template), folder)


def _model_state(weights: ReleasedWeights, config: FlamingoConfig) -> dict[str, Tensor]:
    """The weights under their names in the model."""
    state = {f"vision_tower.{key.removeprefix('vision_model.')}": tensor for key, tensor in weights.vision.items()}
    state |= {f"resampler.{key}": tensor for key, tensor in weights.resampler.items()}
    layers = f"{LAYERS[config.text_config.model_type]}."
    for key, tensor in weights.language_model.items():
        name = key
        if key.startswith(layers):
            number, _, rest = key.removeprefix(layers).partition(".")
            if int(number) in weights.cross_attention:
                name = f"{layers}{number}.decoder_layer.{rest}"
        state[f"language_model.{name}"] = tensor
    for layer, tensors in weights.cross_attention.items():
        prefix = f"language_model.{layers}{layer}.cross_attention."
        state |= {prefix + key: tensor for key, tensor in tensors.items()}
    if config.tie_word_embeddings:
        state.pop("language_model.lm_head.weight", None)
    return state


def _check_shapes(model: Any, state: dict[str, Tensor], source: Path) -> None:
    expected = {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()}
    if model.config.tie_word_embeddings:
        del expected["language_model.lm_head.weight"]
    missing, unexpected = sorted(expected.keys() - state.keys()), sorted(state.keys() - expected.keys())
    if missing:
        raise UserError(f"{source}: {len(missing)} tensors are missing, such as {missing[0]}")
    if unexpected:
        raise UserError(f"{source}: {len(unexpected)} tensors are not part of the model, such as {unexpected[0]}")
    for key, shape in expected.items():
        if tuple(state[key].shape) != shape:
            raise UserError(f"{source}: {key} has shape {tuple(state[key].shape)}, but its config says {shape}")
