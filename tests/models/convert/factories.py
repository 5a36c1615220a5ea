"""A tiny checkpoint in the layout of the release: shards of a LLaMA with one linear layer as projector."""

from __future__ import annotations

import json
import re
from pathlib import Path

import sentencepiece
import torch
from transformers import CLIPVisionConfig, CLIPVisionModel, LlamaConfig, LlamaForCausalLM

from lcl_lab.concepts import load_dataset

__all__ = ["WORDS", "slow_llama_ids", "write_released"]

WORDS = 400  # of the tiny vocabulary; LLaMA has 32,000


def write_released(folder: Path) -> tuple[Path, Path]:
    """The folder of the shards and that of the image tower."""
    torch.manual_seed(0)
    text = folder / "text.txt"
    names = [concept.name for concept in load_dataset("world-100").concepts.values()]
    text.write_text(
        "\n".join(["You should find the causal relationship", "Based on  the previous examples USER: ", *names] * 5)
    )
    sentencepiece.SentencePieceTrainer.train(
        input=str(text),
        model_prefix=str(folder / "tokenizer"),
        vocab_size=WORDS,
        model_type="bpe",
        byte_fallback=True,
        normalization_rule_name="identity",  # these three are LLaMA's
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
    )
    text.unlink()
    tower = CLIPVisionModel(
        CLIPVisionConfig(
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=3,
            num_attention_heads=2,
            image_size=56,
            patch_size=14,
        )
    )
    tower.save_pretrained(folder / "tower")
    config = {
        "hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
        "max_position_embeddings": 2048, "vocab_size": WORDS + 3, "rms_norm_eps": 1e-6,
    }  # fmt: skip
    llama = LlamaForCausalLM(LlamaConfig(**config))
    projector = torch.nn.Linear(32, 48)
    state = {key: 3 * tensor for key, tensor in llama.state_dict().items()}
    state |= {f"model.mm_projector.{key}": tensor for key, tensor in projector.state_dict().items()}
    state |= {f"model.layers.{k}.self_attn.rotary_emb.inv_freq": torch.ones(6) for k in range(2)}
    keys = sorted(state)
    shards = {f"pytorch_model-0000{k + 1}-of-00002.bin": keys[k::2] for k in range(2)}
    for name, some in shards.items():
        torch.save({key: state[key] for key in some}, folder / name)
    weights = {key: name for name, some in shards.items() for key in some}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weights}))
    extra = {
        "model_type": "llava", "architectures": ["ShikraLlamaForCausalLM"], "use_mm_proj": True,
        "mm_vision_tower": "openai/clip-vit-large-patch14", "mm_hidden_size": 32, "mm_vision_select_layer": -2,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config | extra))
    return folder, folder / "tower"


def slow_llama_ids(model: Path, text: str) -> list[int]:
    """Token ids of the slow LLaMA tokenizer of the release, which encodes the text between special tokens by itself.

    Spaces around the tokens that were added to the vocabulary are stripped, those around <s> and </s> are not.
    """
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(model))
    added = ["<im_patch>", "<im_start>", "<im_end>"]
    parts = re.split("(<s>|</s>|<im_patch>|<im_start>|<im_end>)", text)
    ids: list[int] = []
    for before, part, after in zip(["", *parts], parts, [*parts[1:], ""], strict=False):
        if part in added:
            ids.append(len(pieces) + added.index(part))
        elif part in ("<s>", "</s>"):
            ids.append(pieces.piece_to_id(part))
        else:
            stripped = part.lstrip() if before in added else part
            ids += pieces.encode(stripped.rstrip() if after in added else stripped)
    return ids
