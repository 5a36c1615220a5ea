"""Converts an Otter, or an OpenFlamingo in Otter's layout: the shards of the whole model with a config.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AutoConfig, CLIPVisionConfig

from lcl_lab.errors import UserError, nearest
from lcl_lab.models.convert.flamingo_folder import END, IMAGE, load_tokenizer, write_flamingo
from lcl_lab.models.convert.flamingo_names import sort_weights
from lcl_lab.models.convert.mpt_layout import MPT_TYPES, mpt_config, rename_mpt
from lcl_lab.models.convert.released_files import read_config, read_shards
from lcl_lab.models.convert.target_folder import target_folder
from lcl_lab.models.flamingo.language_model import EMBEDDINGS, LAYERS

__all__ = ["OTTER_TYPES", "convert_otter"]

OTTER_TYPES = ("otter", "flamingo")
"""Model types in the config.json of Otter's layout."""

_ANSWER = "<answer>"  # precedes an answer in Otter's prompts
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json")
_VISION_SETTINGS = (
    "hidden_act",
    "hidden_size",
    "image_size",
    "intermediate_size",
    "layer_norm_eps",
    "num_attention_heads",
    "num_hidden_layers",
    "patch_size",
)


def convert_otter(source: Path, target: Path, language_model: str | None = None) -> Path:
    """Write a release in Otter's layout as one checkpoint.

    Args:
        source: folder of the shards.
        target: folder to write; must not exist.
        language_model: folder or hub id of the language model's tokenizer; default is the one that the release has or
            names.

    Returns:
        The target.

    Raises:
        UserError: a file is missing or not in the release's format, or the target exists or is being written by another
            process.
    """
    with target_folder(target) as folder:
        _write(folder, source, language_model)
    return target


def _write(folder: Path, source: Path, language_model: str | None) -> None:
    config = read_config(source)
    file = source / "config.json"
    if "lora_config" in config:
        raise UserError(f"{file}: the weights of its LoRA are not merged; merge them with peft first")
    values = dict(config.get("text_config") or {})
    text_config = _text_config(values, file)
    weights = sort_weights(read_shards(source), text_config.model_type, source)
    if text_config.model_type == "mpt":
        weights.language_model = rename_mpt(weights.language_model, text_config.attn_config.qk_ln)
    is_otter = config["model_type"] == "otter"
    embedding = weights.language_model.get(EMBEDDINGS[text_config.model_type])
    if embedding is None:
        raise UserError(f"{source}: no embedding of the language model")
    tokenizer_folder = _tokenizer_folder(source, values, language_model)
    special_tokens = (END, IMAGE, _ANSWER) if is_otter else (END, IMAGE)
    tokenizer = load_tokenizer(tokenizer_folder, text_config, special_tokens, len(embedding))
    if len(tokenizer) > len(embedding):
        reason = f"with the release's tokens it has {len(tokenizer)}, but the embedding has {len(embedding)} rows"
        raise UserError(reason, option="language_model", value=tokenizer_folder)
    text_config.vocab_size = len(embedding)
    vision_config = _vision_config(config.get("vision_config") or {}, file)
    prompts: Any = "otter" if is_otter else "openflamingo"
    write_flamingo(folder, source, weights, text_config, vision_config, tokenizer, prompts)


def _text_config(values: dict[str, Any], file: Path) -> Any:
    model_type = values.get("model_type", "llama")
    if model_type in MPT_TYPES:
        return mpt_config(values, file)
    if model_type not in LAYERS:
        reason = f"language models of type {model_type} are not supported; {nearest(model_type, {*LAYERS, *MPT_TYPES})}"
        raise UserError(f"{file}: {reason}")
    known = AutoConfig.for_model(model_type)
    settings = {name: value for name, value in values.items() if name in known.to_dict() and value is not None}
    return AutoConfig.for_model(**{**settings, "model_type": model_type, "tie_word_embeddings": False})


def _vision_config(values: dict[str, Any], file: Path) -> CLIPVisionConfig:
    try:
        return CLIPVisionConfig(**{name: values[name] for name in _VISION_SETTINGS if name in values})
    except Exception as error:  # of the library that checks configs
        raise UserError(f"{file}: vision_config: {' '.join(str(error).split())}") from error


def _tokenizer_folder(source: Path, values: dict[str, Any], language_model: str | None) -> str:
    if language_model is not None:
        return language_model
    if any((source / name).is_file() for name in _TOKENIZER_FILES):
        return str(source)
    named = values.get("_name_or_path")
    if not named:
        reason = "required: the release has no tokenizer and does not name its language model; for MPT-7B, "
        raise UserError(reason + "mosaicml/mpt-7b-instruct", option="language_model")
    return str(named)
