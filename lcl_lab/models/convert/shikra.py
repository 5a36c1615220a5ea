"""Turns the released checkpoints of link-context learning, and Shikra's, into a LLaVA of `transformers`.

They are sharded state dicts of a LLaMA with one linear layer as projector, and without the image tower.
The projector of a LLaVA is two layers with an activation between; with the identity as activation and as
second layer it is the same function, so any `transformers` loads what comes out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcl_lab.cli import Parser, run_program
from lcl_lab.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["convert", "main"]

IMAGE_TOKENS = ("<im_patch>", "<im_start>", "<im_end>")
"""Added after the words of LLaMA, in this order."""
_NEEDED = ("config.json", "tokenizer.model")
_TEMPLATE = files("lcl_lab") / "data" / "shikra.jinja"
"""The conversation that the checkpoints were trained on."""


def main(arguments: Sequence[str]) -> None:
    """Convert, and print where the checkpoint is."""
    parser = Parser(prog="python -m lcl_lab.models.convert.shikra", description=__doc__)
    parser.add_argument("source", type=Path, metavar="SRC", help="folder of the released shards")
    parser.add_argument("target", type=Path, metavar="DST", help="folder to write; must not exist")
    parser.add_argument(
        "--vision-tower",
        default="openai/clip-vit-large-patch14",
        metavar="NAME",
        help="folder or hub id of the CLIP that it was trained with (default openai/clip-vit-large-patch14)",
    )
    options = parser.parse_args(arguments)
    for name in _NEEDED:
        if not (options.source / name).is_file():
            raise UserError(f"{options.source}: no {name}; give the folder of a released checkpoint")
    if options.target.exists():
        raise UserError(f"{options.target} exists; give a new folder")
    convert(options.source, options.target, options.vision_tower)
    print(options.target)


def convert(source: Path, target: Path, vision_tower: str) -> None:
    """Write `source` and its image tower as one LLaVA, with the release's prompt and image processing.

    Raises:
        UserError: a file is missing or not in the release's form, or the tower does not fit.
    """
    import torch
    from transformers import CLIPVisionModel, GenerationConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

    try:
        given: dict[str, Any] = json.loads((source / "config.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{source / 'config.json'}: not JSON: {error}") from None
    try:
        tower = CLIPVisionModel.from_pretrained(vision_tower)
    except (OSError, ValueError) as error:
        raise UserError(f"--vision-tower {vision_tower}: {str(error).splitlines()[0]}") from error
    state = _read(source)
    tokenizer = _tokenizer(source, len(state["lm_head.weight"]))
    width = state["model.mm_projector.weight"].shape[1]
    if width != tower.config.hidden_size:
        raise UserError(
            f"--vision-tower {vision_tower}: its width is {tower.config.hidden_size}, the projector's {width}"
        )
    text = {key: value for key, value in given.items() if not key.startswith("mm_") and key != "model_type"}
    text |= {"vocab_size": len(state["lm_head.weight"]), "pad_token_id": tokenizer.pad_token_id}
    config = LlavaConfig(
        vision_config=tower.config,
        text_config=LlamaConfig(**text),
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE_TOKENS[0]),
        vision_feature_layer=given.get("mm_vision_select_layer", -2),
        vision_feature_select_strategy="default",
        projector_hidden_act="linear",
    )
    with torch.device("meta"):
        model = LlavaForConditionalGeneration(config)
    renamed = _rename(state, tower)
    try:
        model.load_state_dict(renamed, strict=True, assign=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{source}: its shards do not fit its config.json: {reason}") from error
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    part = target.with_name(f".{target.name}.part")
    model.save_pretrained(part)
    _processor(tower.config, tokenizer).save_pretrained(part)
    part.rename(target)


def _read(source: Path) -> dict[str, Tensor]:
    """All tensors of the shards; they stay on disk until they are used."""
    import torch

    index = source / "pytorch_model.bin.index.json"
    if index.is_file():
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    else:
        names = sorted(file.name for file in source.glob("pytorch_model*.bin"))
    if not names:
        raise UserError(f"{source}: no pytorch_model*.bin")
    state: dict[str, Tensor] = {}
    for name in names:
        try:
            state |= torch.load(source / name, map_location="cpu", mmap=True, weights_only=True)
        except Exception as error:
            raise UserError(f"{source / name}: {type(error).__name__}: {str(error).splitlines()[0]}") from error
    for key in ("lm_head.weight", "model.mm_projector.weight", "model.mm_projector.bias"):
        if key not in state:
            raise UserError(f"{source}: its shards have no {key}; is it a checkpoint of Shikra or LCL?")
    return state


def _rename(state: dict[str, Tensor], tower: Any) -> dict[str, Tensor]:
    import torch

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
    """LLaMA's words and the image's, in the release's order, padded by <unk>."""
    from transformers import LlamaTokenizer

    tokenizer = LlamaTokenizer.from_pretrained(source, legacy=True, pad_token="<unk>")
    tokenizer.add_tokens(list(IMAGE_TOKENS), special_tokens=True)
    ids = tokenizer.convert_tokens_to_ids(list(IMAGE_TOKENS))
    if ids != list(range(ids[0], ids[0] + len(ids))) or ids[-1] >= rows:
        raise UserError(f"{source}: tokens {IMAGE_TOKENS} are {ids}, for {rows} rows of embeddings")
    tokenizer.image_token = IMAGE_TOKENS[0]
    tokenizer.image_token_id = ids[0]
    return tokenizer


def _processor(vision: Any, tokenizer: Any) -> Any:
    """Images are padded to squares with the mean colour, then CLIP's own."""
    from transformers import LlavaProcessor
    from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil

    side = vision.image_size
    images = LlavaImageProcessorPil(
        do_pad=True, size={"shortest_edge": side}, crop_size={"height": side, "width": side}
    )
    return LlavaProcessor(
        images,
        tokenizer,
        patch_size=vision.patch_size,
        vision_feature_select_strategy="default",
        image_token=IMAGE_TOKENS[0],
        num_additional_image_tokens=1,
        chat_template=_TEMPLATE.read_text(encoding="utf-8"),
    )


if __name__ == "__main__":
    run_program(main)
