"""Converts a checkpoint.pt of OpenFlamingo.

It contains the resampler, the gated cross-attention and the embedding, which has rows for the release's tokens. The
frozen language model and CLIP come from their own releases.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM

from lcl_lab.errors import UserError, nearest
from lcl_lab.models.convert.clip_weights import load_vision_tower
from lcl_lab.models.convert.convert_config import VISION_TOWER
from lcl_lab.models.convert.flamingo_folder import END, IMAGE, load_tokenizer, write_flamingo
from lcl_lab.models.convert.flamingo_names import sort_weights
from lcl_lab.models.convert.mpt_layout import MPT_TYPES, mpt_config, rename_mpt
from lcl_lab.models.convert.released_files import read_config, read_shards, read_tensors
from lcl_lab.models.convert.target_folder import target_folder
from lcl_lab.models.flamingo.language_model import EMBEDDINGS, LAYERS

__all__ = ["convert_openflamingo"]

_FILES = ["*.json", "*.bin", "*.safetensors", "*.model", "*.txt"]


def convert_openflamingo(
    checkpoint: Path, target: Path, language_model: str | None, vision_tower: str = VISION_TOWER
) -> Path:
    """Write a released checkpoint.pt, its language model and its CLIP as one checkpoint.

    Args:
        checkpoint: the file.
        target: folder to write; must not exist.
        language_model: folder or hub id of the language model that it was trained with.
        vision_tower: the CLIP that it was trained with, see `load_vision_tower`.

    Returns:
        The target.

    Raises:
        UserError: a file is missing or not in the release's format, the parts do not fit each other, or the target
            exists or is being written by another process.
    """
    if language_model is None:
        reason = "required for OpenFlamingo: the language model that it was trained with, such as "
        raise UserError(reason + "togethercomputer/RedPajama-INCITE-Base-3B-v1", option="language_model")
    with target_folder(target) as folder:
        _write(folder, checkpoint, language_model, vision_tower)
    return target


def _write(folder: Path, checkpoint: Path, language_model: str, vision_tower: str) -> None:
    state = read_tensors(checkpoint)
    language_folder = _folder(language_model)
    text_config, text_state = _load_language_model(language_folder, language_model)
    weights = sort_weights(state.get("model_state_dict", state), text_config.model_type, checkpoint)
    embedding = EMBEDDINGS[text_config.model_type]
    if embedding not in weights.language_model:
        raise UserError(f"{checkpoint}: no lang_encoder.{embedding}, which has rows for {END} and {IMAGE}")
    rows, width = weights.language_model[embedding].shape
    tokenizer = load_tokenizer(str(language_folder), text_config, (END, IMAGE), rows)
    if (len(tokenizer), text_config.hidden_size) != (rows, width):
        reason = f"its tokenizer with the release's tokens has {len(tokenizer)} and its width is "
        reason += f"{text_config.hidden_size}, but the embedding of {checkpoint.name} is {rows} × {width}"
        raise UserError(reason, option="language_model", value=language_model)
    if text_config.model_type == "mpt":
        weights.language_model = rename_mpt(weights.language_model, text_config.attn_config.qk_ln)
    weights.language_model = text_state | weights.language_model
    text_config.vocab_size = rows
    _resize_head(weights.language_model, rows)
    tower = load_vision_tower(vision_tower)
    vision_width = weights.resampler["latents"].shape[1]
    if tower.config.hidden_size != vision_width:
        reason = f"its width is {tower.config.hidden_size}, but the resampler expects {vision_width}"
        raise UserError(reason, option="vision_tower", value=vision_tower)
    weights.vision = dict(tower.state_dict())
    write_flamingo(folder, checkpoint, weights, text_config, tower.config, tokenizer, "openflamingo")


def _folder(language_model: str) -> Path:
    if Path(language_model).is_dir():
        return Path(language_model)
    try:
        return Path(snapshot_download(language_model, allow_patterns=_FILES))
    except (OSError, ValueError) as error:
        reason = f"no such folder, and not found on the hub: {' '.join(str(error).split())[:200]}"
        raise UserError(reason, option="language_model", value=language_model) from error


def _load_language_model(folder: Path, name: str) -> tuple[Any, dict[str, Tensor]]:
    """The config and the weights, without running code of the folder."""
    values = read_config(folder)
    model_type = str(values.get("model_type"))
    if model_type in MPT_TYPES:
        config = mpt_config(values, folder / "config.json")
        return config, rename_mpt(read_shards(folder), config.attn_config.qk_ln)
    if model_type not in LAYERS:
        reason = f"model type {model_type} is not supported; {nearest(model_type, {*LAYERS, *MPT_TYPES})}"
        raise UserError(reason, option="language_model", value=name)
    try:
        model, loaded = AutoModelForCausalLM.from_pretrained(
            folder, dtype="auto", trust_remote_code=False, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(" ".join(str(error).split())[:200], option="language_model", value=name) from error
    if loaded["missing_keys"]:
        reason = f"tensors are missing in its weights, such as {min(loaded['missing_keys'])}"
        raise UserError(reason, option="language_model", value=name)
    return AutoConfig.from_pretrained(folder, trust_remote_code=False), dict(model.state_dict())


def _resize_head(state: dict[str, Tensor], rows: int) -> None:
    """Give an untied head a row per token.

    Releases do not contain the rows of new tokens, which are drawn at random around 0 and never trained; here, they
    are 0.
    """
    head = state.get("lm_head.weight")
    if head is not None and len(head) != rows:
        resized = torch.zeros(rows, head.shape[1], dtype=head.dtype)
        count = min(rows, len(head))
        resized[:count] = head[:count]
        state["lm_head.weight"] = resized
