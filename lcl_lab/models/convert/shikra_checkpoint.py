"""Converts the released checkpoints of link-context learning, and of Shikra, to a LLaVA.

A release consists of sharded state dicts of a LLaMA with one linear layer as projector, without the image tower. The
projector of a LLaVA has two layers with an activation between them. With the identity as activation and as second
layer it computes the same function. See `lcl_lab.models.shikra` for what differs from a LLaVA of `transformers`.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import CLIPVisionModel, GenerationConfig, LlamaConfig, LlavaProcessor

from lcl_lab.errors import UserError
from lcl_lab.models.checkpoint_files import read_object
from lcl_lab.models.convert.convert_config import VISION_TOWER
from lcl_lab.models.convert.released_files import read_config, read_shards
from lcl_lab.models.convert.target_folder import check_is_new, target_folder
from lcl_lab.models.saving import save_checkpoint
from lcl_lab.models.shikra.shikra_architecture import ShikraConfig, ShikraForConditionalGeneration
from lcl_lab.models.shikra.shikra_image_processor import ShikraImageProcessor
from lcl_lab.models.shikra.shikra_tokenizer import build_shikra_tokenizer

__all__ = ["convert_shikra"]

_IMAGE_TOKENS = ("<im_patch>", "<im_start>", "<im_end>")  # follow LLaMA's vocabulary, in this order
_ADDED_TOKENS = "added_tokens.json"  # file of a release that has the ids of all tokens that follow LLaMA's vocabulary
_POSITIONS = 8192
_REQUIRED_FILES = ("config.json", "tokenizer.model")
_TEMPLATE = files("lcl_lab") / "data" / "shikra.jinja"  # the conversation format of their training


def convert_shikra(source: Path | str, target: Path | str, vision_tower: str = VISION_TOWER) -> Path:
    """Write a released checkpoint and its image tower as one LLaVA, with the release's prompt and image processing.

    Args:
        source: folder of the released shards.
        target: folder to write; must not exist.
        vision_tower: folder or hub id of the CLIP that the checkpoint was trained with.

    Returns:
        The target.

    Raises:
        UserError: a file is missing or not in the release's format, the image tower does not fit, or the target exists
            or is being written by another process.
    """
    source, target = Path(source), Path(target)
    for name in _REQUIRED_FILES:
        if not (source / name).is_file():
            reason = f"has no {name}; give the folder of a released checkpoint"
            raise UserError(reason, option="source", value=source)
    check_is_new(target)
    with target_folder(target) as folder:
        _write(folder, source, vision_tower)
    return target


def _write(folder: Path, source: Path, vision_tower: str) -> None:
    released = read_config(source)
    try:
        tower = CLIPVisionModel.from_pretrained(vision_tower)
    except (OSError, ValueError) as error:
        raise UserError(str(error).splitlines()[0], option="vision_tower", value=vision_tower) from error
    state = _read_shards(source)
    tokenizer = _tokenizer(source, len(state["lm_head.weight"]))
    width = state["model.mm_projector.weight"].shape[1]
    if width != tower.config.hidden_size:
        reason = f"its width is {tower.config.hidden_size}, but the projector expects {width}"
        raise UserError(reason, option="vision_tower", value=vision_tower)
    with torch.device("meta"):
        model = ShikraForConditionalGeneration(_config(released, tower, tokenizer, len(state["lm_head.weight"])))
    try:
        model.load_state_dict(_rename(state, tower), strict=True, assign=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{source}: its shards do not match its config.json: {reason}") from error
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    save_checkpoint(model, _processor(tower.config, tokenizer), folder)


def _config(released: dict[str, Any], tower: Any, tokenizer: Any, vocabulary: int) -> ShikraConfig:
    text = {key: value for key, value in released.items() if not key.startswith("mm_") and key != "model_type"}
    text |= {"vocab_size": vocabulary, "pad_token_id": tokenizer.pad_token_id}
    # The release evaluates 17 images of 256 tokens, beyond the positions that its config names. Rotary embeddings are
    # computed for any position, as they were there.
    text["max_position_embeddings"] = max(_POSITIONS, text.get("max_position_embeddings", 0))
    return ShikraConfig(
        vision_config=tower.config,
        text_config=LlamaConfig(**text),
        image_token_index=tokenizer.convert_tokens_to_ids(_IMAGE_TOKENS[0]),
        vision_feature_layer=released.get("mm_vision_select_layer", -2),
        vision_feature_select_strategy="default",
        projector_hidden_act="linear",
    )


def _read_shards(source: Path) -> dict[str, Tensor]:
    """All tensors of the shards, memory-mapped."""
    state = read_shards(source)
    for key in ("lm_head.weight", "model.mm_projector.weight", "model.mm_projector.bias"):
        if key not in state:
            raise UserError(f"{source}: its shards have no {key}; it is not a checkpoint of Shikra or LCL")
    return state


def _rename(state: dict[str, Tensor], tower: Any) -> dict[str, Tensor]:
    projector = "model.multi_modal_projector."
    renamed: dict[str, Tensor] = {}
    for key, tensor in state.items():
        if key.startswith("model.mm_projector."):
            renamed[f"{projector}linear_1.{key.rpartition('.')[2]}"] = tensor
        elif key.startswith("model.") and not key.endswith("rotary_emb.inv_freq"):
            renamed[f"model.language_model.{key.removeprefix('model.')}"] = tensor
        elif key == "lm_head.weight":
            renamed[key] = tensor
    weight = renamed[f"{projector}linear_1.weight"]
    renamed[f"{projector}linear_2.weight"] = torch.eye(len(weight), dtype=weight.dtype)
    renamed[f"{projector}linear_2.bias"] = torch.zeros(len(weight), dtype=weight.dtype)
    return renamed | {f"model.vision_tower.{key}": t.to(weight.dtype) for key, t in tower.state_dict().items()}


def _tokenizer(source: Path, rows: int) -> Any:
    """LLaMA's vocabulary followed by the image tokens, padded with <unk>."""
    tokenizer = build_shikra_tokenizer(source / "tokenizer.model", _added_tokens(source))
    ids = tokenizer.convert_tokens_to_ids(list(_IMAGE_TOKENS))
    if ids != list(range(ids[0], ids[0] + len(ids))) or ids[-1] >= rows:
        raise UserError(f"{source}: tokens {_IMAGE_TOKENS} are {ids}, for {rows} rows of embeddings")
    tokenizer.image_token = _IMAGE_TOKENS[0]
    tokenizer.image_token_id = ids[0]
    return tokenizer


def _added_tokens(source: Path) -> list[str]:
    """The tokens that follow LLaMA's vocabulary: those that the release lists, then the image tokens."""
    file = source / _ADDED_TOKENS
    ids: dict[str, int] = read_object(file, "source", source) if file.is_file() else {}
    listed = sorted(ids, key=ids.__getitem__)
    return [*listed, *(token for token in _IMAGE_TOKENS if token not in ids)]


def _processor(vision: Any, tokenizer: Any) -> Any:
    """Processes images of the tower's size, and writes prompts in the format of the release."""
    side = vision.image_size
    images = ShikraImageProcessor(size={"shortest_edge": side}, crop_size={"height": side, "width": side})
    return LlavaProcessor(
        images,
        tokenizer,
        patch_size=vision.patch_size,
        vision_feature_select_strategy="default",
        image_token=_IMAGE_TOKENS[0],
        num_additional_image_tokens=1,
        chat_template=_TEMPLATE.read_text(encoding="utf-8"),
    )
