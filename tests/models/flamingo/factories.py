"""Tiny random releases of OpenFlamingo and Otter in the layouts and under the names of the real ones."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from torch import Tensor
from transformers import (
    AutoTokenizer,
    CLIPVisionConfig,
    CLIPVisionModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MptConfig,
    MptForCausalLM,
    OPTConfig,
    OPTForCausalLM,
)

from lcl_lab.concepts import load_dataset
from tests.models.factories import tokenizer

__all__ = ["HEADS", "HEAD_DIM", "LAYERS", "Release", "write_openflamingo", "write_otter"]

WIDTH, VISION_WIDTH, DEPTH, EVERY = 32, 48, 4, 2
LATENTS, RESAMPLER_DEPTH = 5, 2
HEADS, HEAD_DIM = 8, 64
LAYERS = {
    "llama": "model.layers",
    "mpt": "transformer.blocks",
    "mosaic_gpt": "transformer.blocks",
    "gpt_neox": "gpt_neox.layers",
    "opt": "model.decoder.layers",
}
_VISION = CLIPVisionConfig(
    hidden_size=VISION_WIDTH,
    intermediate_size=96,
    num_hidden_layers=2,
    num_attention_heads=3,
    image_size=28,
    patch_size=14,
    hidden_act="quick_gelu",
)


@dataclass
class Release:
    """A release on disk.

    Attributes:
        source: folder to convert.
        language_model: folder of the language model.
        tower: folder of the CLIP.
        family: model type of the language model.
        state: all weights under the names of OpenFlamingo, including the frozen ones.
        text: content of the language model's config.json.
    """

    source: Path
    language_model: Path
    tower: Path
    family: str
    state: dict[str, Tensor]
    text: dict[str, Any]


def write_openflamingo(folder: Path, family: str, frozen: bool = False, prefix: str = "") -> Release:
    """A checkpoint.pt with the folders of its language model and CLIP.

    Args:
        folder: where to write.
        family: model type of the language model.
        frozen: write the names of the frozen layers as well, and each cross-attention twice.
        prefix: in front of each name.
    """
    release = _parts(folder, family, ("<|endofchunk|>", "<image>"))
    layers = LAYERS[family]
    written: dict[str, Tensor] = {}
    for key, tensor in release.state.items():
        _, _, name = key.partition(f"{layers}.")
        if ".gated_cross_attn_layer." in key:
            written[key] = tensor
            if frozen:
                written["lang_encoder.gated_cross_attn_layers." + name.replace(".gated_cross_attn_layer", "")] = tensor
        elif key.startswith("perceiver.") or "embed" in key or "wte" in key:
            written[key] = tensor
        elif frozen and ".decoder_layer." in key:
            written["lang_encoder.old_decoder_blocks." + name.replace(".decoder_layer", "")] = tensor
    if family == "gpt_neox":  # a buffer of old versions, which is not filtered
        written[f"lang_encoder.{layers}.0.decoder_layer.attention.bias"] = torch.ones(1, 1, 8, 8, dtype=torch.bool)
    release.source.mkdir()
    content: Any = {prefix + key: tensor for key, tensor in written.items()}
    torch.save({"model_state_dict": content, "epoch": 1} if prefix else content, release.source / "checkpoint.pt")
    return release


def write_otter(folder: Path, family: str) -> Release:
    """The shards of a whole model."""
    release = _parts(folder, family, ("<|endofchunk|>", "<image>", "<answer>"))
    release.source.mkdir()
    state = {_otter_name(key): tensor for key, tensor in release.state.items()}
    state |= {f"vision_encoder.vision_model.{k}": t for k, t in _bare_tower(release.tower).items()}
    state["vision_encoder.vision_model.embeddings.position_ids"] = torch.arange(5)[None]
    keys = sorted(state)
    shards = {f"pytorch_model-0000{k + 1}-of-00002.bin": keys[k::2] for k in range(2)}
    for name, of_shard in shards.items():
        torch.save({key: state[key] for key in of_shard}, release.source / name)
    weights = {key: name for name, of_shard in shards.items() for key in of_shard}
    index = {"metadata": {}, "weight_map": weights}
    (release.source / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    text = {**release.text, "_name_or_path": str(release.language_model), "early_stopping": False, "top_p": 1.0}
    config = {
        "model_type": "otter",
        "cross_attn_every_n_layers": EVERY,
        "text_config": text,
        "vision_config": _VISION.to_dict(),
    }
    (release.source / "config.json").write_text(json.dumps(config))
    return release


def _parts(folder: Path, family: str, special: tuple[str, ...]) -> Release:
    torch.manual_seed(len(family))
    release = Release(folder / "release", folder / "language-model", folder / "tower", family, {}, {})
    words = _llama_tokenizer(release.language_model) if family == "llama" else tokenizer([])
    base = len(words)
    tower = CLIPVisionModel(_VISION)
    _randomize(tower)
    tower.save_pretrained(release.tower)
    if family != "llama":
        words.save_pretrained(release.language_model)
    model, text = _language_model(family, base)
    _randomize(model)
    language_model = dict(model.state_dict())
    if family == "mosaic_gpt":
        language_model = _as_mpt_1b(language_model)
        torch.save(language_model, release.language_model / "pytorch_model.bin")
        (release.language_model / "config.json").write_text(json.dumps(text))
    else:
        model.save_pretrained(release.language_model)
        text = json.loads((release.language_model / "config.json").read_text())
    release.text = text
    rows = base + len(special) + (words.pad_token is None)
    release.state |= _trained(family, language_model, rows)
    return release


def _llama_tokenizer(folder: Path) -> Any:
    folder.mkdir()
    names = [concept.name for concept in load_dataset("world-100").concepts.values()]
    text = folder / "text.txt"
    text.write_text("\n".join(["Output Question Short answer User GPT", "What is in the image? Hello", *names] * 5))
    sentencepiece.SentencePieceTrainer.train(
        input=str(text),
        model_prefix=str(folder / "tokenizer"),
        vocab_size=340,
        model_type="bpe",
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
    )
    text.unlink()
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "LlamaTokenizer"}))
    return AutoTokenizer.from_pretrained(folder)


def _language_model(family: str, rows: int) -> tuple[Any, dict[str, Any]]:
    sizes = {"vocab_size": rows, "hidden_size": WIDTH, "num_hidden_layers": DEPTH, "num_attention_heads": 4}
    mpt = {"vocab_size": rows, "d_model": WIDTH, "n_layers": DEPTH, "n_heads": 4, "max_seq_len": 2048}
    if family == "llama":
        return LlamaForCausalLM(LlamaConfig(**sizes, intermediate_size=64)), {}
    if family == "gpt_neox":
        return GPTNeoXForCausalLM(GPTNeoXConfig(**sizes, intermediate_size=64, use_parallel_residual=False)), {}
    if family == "opt":
        return OPTForCausalLM(OPTConfig(**sizes, ffn_dim=64, word_embed_proj_dim=WIDTH)), {}
    text = {**mpt, "model_type": "mosaic_gpt", "alibi": True, "no_bias": True, "attn_qk_ln": True, "mlp_ratio": 4}
    return MptForCausalLM(MptConfig(**mpt)), text


def _as_mpt_1b(state: dict[str, Tensor]) -> dict[str, Tensor]:
    names = ((".norm_1.", ".ln_1."), (".norm_2.", ".ln_2."), (".norm_f.", ".ln_f."), (".ffn.up_proj", ".mlp.mlp_up"))
    renamed: dict[str, Tensor] = {}
    for key, tensor in state.items():
        for new, old in (*names, (".ffn.down_proj", ".mlp.mlp_down")):
            key = key.replace(new, old)
        renamed[key] = tensor
        if key.endswith("Wqkv.weight"):
            for norm in ("q_ln", "k_ln"):
                renamed[key.replace("Wqkv", norm)] = 1 + 0.2 * torch.randn(WIDTH)
    del renamed["lm_head.weight"]
    return renamed


def _trained(family: str, language_model: dict[str, Tensor], rows: int) -> dict[str, Tensor]:
    """All weights of the language model with those that OpenFlamingo adds, under its names."""
    state: dict[str, Tensor] = {}
    for key, tensor in language_model.items():
        name = key.replace("lm_head.", "embed_out.") if family == "gpt_neox" else key
        if name.endswith(("embed_tokens.weight", "wte.weight", "embed_in.weight", "embed_out.weight")):
            tensor = torch.cat([tensor, 0.5 * torch.randn(rows - len(tensor), WIDTH)])
        elif name == "lm_head.weight":
            tensor = torch.cat([tensor, torch.zeros(rows - len(tensor), WIDTH)])
        _, found, rest = name.partition(f"{LAYERS[family]}.")
        if found:
            number, _, rest = rest.partition(".")
            name = f"{LAYERS[family]}.{number}.decoder_layer.{rest}"
        state[f"lang_encoder.{name}"] = tensor
    if family in ("mpt", "opt"):
        state.pop("lang_encoder.lm_head.weight")
    for number in range(EVERY - 1, DEPTH, EVERY):
        prefix = f"lang_encoder.{LAYERS[family]}.{number}.gated_cross_attn_layer."
        state |= _attention(f"{prefix}attn.", WIDTH, VISION_WIDTH)
        state |= _norm(f"{prefix}attn.norm", WIDTH) | _feed_forward(f"{prefix}ff.", WIDTH)
        state |= {f"{prefix}attn_gate": torch.tensor([0.8]), f"{prefix}ff_gate": torch.tensor([-0.6])}
    state["perceiver.latents"] = torch.randn(LATENTS, VISION_WIDTH)
    state |= _norm("perceiver.norm", VISION_WIDTH)
    for number in range(RESAMPLER_DEPTH):
        prefix = f"perceiver.layers.{number}."
        state |= _attention(f"{prefix}0.", VISION_WIDTH, VISION_WIDTH) | _feed_forward(f"{prefix}1.", VISION_WIDTH)
        state |= _norm(f"{prefix}0.norm_media", VISION_WIDTH) | _norm(f"{prefix}0.norm_latents", VISION_WIDTH)
    return state


def _attention(prefix: str, width: int, key_width: int) -> dict[str, Tensor]:
    inner = HEADS * HEAD_DIM
    return {
        f"{prefix}to_q.weight": torch.randn(inner, width) / width**0.5,
        f"{prefix}to_kv.weight": torch.randn(2 * inner, key_width) / key_width**0.5,
        f"{prefix}to_out.weight": torch.randn(width, inner) / inner**0.5,
    }


def _feed_forward(prefix: str, width: int) -> dict[str, Tensor]:
    return _norm(f"{prefix}0", width) | {
        f"{prefix}1.weight": torch.randn(4 * width, width) / width**0.5,
        f"{prefix}3.weight": torch.randn(width, 4 * width) / (4 * width) ** 0.5,
    }


def _norm(prefix: str, width: int) -> dict[str, Tensor]:
    return {f"{prefix}.weight": 1 + 0.2 * torch.randn(width), f"{prefix}.bias": 0.2 * torch.randn(width)}


def _otter_name(key: str) -> str:
    """Otter's names of the feed-forward networks, and of the layers of the resampler."""
    if not key.startswith("perceiver.layers."):
        return key.replace("gated_cross_attn_layer.ff.", "gated_cross_attn_layer.feed_forward.")
    number, part, rest = key.removeprefix("perceiver.layers.").split(".", 2)
    return f"perceiver.layers.{number}.{'feed_forward.' if part == '1' else ''}{rest}"


def _bare_tower(folder: Path) -> dict[str, Tensor]:
    state = CLIPVisionModel.from_pretrained(folder).state_dict()
    return {key.removeprefix("vision_model."): tensor for key, tensor in state.items()}


@torch.no_grad()
def _randomize(model: Any) -> None:
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.normal_(0, 0.8 / parameter.shape[-1] ** 0.5)
        else:
            parameter.add_(0.2 * torch.randn_like(parameter))
