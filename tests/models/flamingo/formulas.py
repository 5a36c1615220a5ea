"""Flamingo from the formulas of the papers, in plain torch operations on released weights, one prompt at a time.

Sections: Alayrac et al. (arXiv 2204.14198), 2.1 and 2.2; LLaMA (2302.13971); ALiBi (2108.12409); CLIP (2103.00020).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import gelu, layer_norm, silu

from tests.models.flamingo.factories import HEAD_DIM, HEADS, LAYERS, Release

__all__ = ["expected_logits"]

Weights = dict[str, Tensor]


def expected_logits(release: Release, tower: Weights, ids: Sequence[int], images: Mapping[int, Tensor]) -> Tensor:
    """The logits (T, V) of a prompt.

    Args:
        release: weights of the model.
        tower: weights of its CLIP.
        ids: the T tokens.
        images: pixels (3, side, side) of each image, by the place of its token.
    """
    weights = {key.removeprefix("lang_encoder."): tensor for key, tensor in release.state.items()}
    latents = {place: _resample(weights, _patch_features(tower, pixels)) for place, pixels in images.items()}
    embedding = weights["model.embed_tokens.weight" if release.family == "llama" else "transformer.wte.weight"]
    hidden = embedding[torch.tensor(ids)]
    last: list[Tensor | None] = []  # the latents that each token attends to
    for place in range(len(ids)):
        last.append(latents.get(place, last[-1] if last else None))
    layer = 0
    while any(key.startswith(f"{LAYERS[release.family]}.{layer}.") for key in weights):
        prefix = f"{LAYERS[release.family]}.{layer}."
        block = {key.removeprefix(prefix): t for key, t in weights.items() if key.startswith(prefix)}
        if "gated_cross_attn_layer.attn_gate" in block:
            hidden = _gated(_below(block, "gated_cross_attn_layer."), hidden, last)
        decode = _llama_layer if release.family == "llama" else _mpt_layer
        hidden = decode(_below(block, "decoder_layer."), hidden)
        layer += 1
    if release.family == "llama":
        return _rms(hidden, weights["model.norm.weight"]) @ weights["lm_head.weight"].T
    final = weights["transformer.norm_f.weight" if release.family == "mpt" else "transformer.ln_f.weight"]
    return layer_norm(hidden, final.shape, final) @ embedding.T


def _patch_features(weights: Weights, pixels: Tensor) -> Tensor:
    """CLIP's last hidden states of the patches, before the final layer norm."""
    kernel = weights["embeddings.patch_embedding.weight"]
    side = kernel.shape[-1]
    patches = pixels.unfold(1, side, side).unfold(2, side, side).permute(1, 2, 0, 3, 4).flatten(2).flatten(0, 1)
    tokens = torch.cat([weights["embeddings.class_embedding"][None], patches @ kernel.flatten(1).T])
    hidden = _norm(tokens + weights["embeddings.position_embedding.weight"], weights, "pre_layrnorm")
    layer = 0
    while f"encoder.layers.{layer}.layer_norm1.weight" in weights:
        block = _below(weights, f"encoder.layers.{layer}.")
        normed = _norm(hidden, block, "layer_norm1")
        query, key, value = (_linear(normed, block, f"self_attn.{name}_proj") for name in "qkv")
        hidden = hidden + _linear(_attend(query, key, value, 3), block, "self_attn.out_proj")
        inner = _linear(_norm(hidden, block, "layer_norm2"), block, "mlp.fc1")
        hidden = hidden + _linear(inner * torch.sigmoid(1.702 * inner), block, "mlp.fc2")
        layer += 1
    return hidden[1:]


def _resample(weights: Weights, features: Tensor) -> Tensor:
    latents = weights["perceiver.latents"]
    layer = 0
    while f"perceiver.layers.{layer}.0.to_q.weight" in weights:
        attention = _below(weights, f"perceiver.layers.{layer}.0.")
        normed = _norm(latents, attention, "norm_latents")
        both = torch.cat([_norm(features, attention, "norm_media"), normed])
        key, value = (both @ attention["to_kv.weight"].T).chunk(2, -1)
        attended = _attend(normed @ attention["to_q.weight"].T, key, value, HEADS)
        latents = latents + attended @ attention["to_out.weight"].T
        latents = latents + _feed_forward(_below(weights, f"perceiver.layers.{layer}.1."), latents)
        layer += 1
    return _norm(latents, weights, "perceiver.norm")


def _gated(weights: Weights, hidden: Tensor, latents: Sequence[Tensor | None]) -> Tensor:
    """y + tanh(α) · attention, then + tanh(β) · feed-forward; without an image, the attention is 0."""
    attended = torch.zeros_like(hidden)
    queries = _norm(hidden, weights, "attn.norm") @ weights["attn.to_q.weight"].T
    for token, of_token in enumerate(latents):
        if of_token is not None:
            key, value = (of_token @ weights["attn.to_kv.weight"].T).chunk(2, -1)
            result = _attend(queries[token : token + 1], key, value, HEADS)
            attended[token] = (result @ weights["attn.to_out.weight"].T)[0]
    hidden = hidden + weights["attn_gate"].tanh() * attended
    return hidden + weights["ff_gate"].tanh() * _feed_forward(_below(weights, "ff."), hidden)


def _llama_layer(weights: Weights, hidden: Tensor) -> Tensor:
    normed = _rms(hidden, weights["input_layernorm.weight"])
    query, key, value = (normed @ weights[f"self_attn.{name}_proj.weight"].T for name in "qkv")
    attended = _attend(_rotate(query), _rotate(key), value, 4, _causal(len(hidden)))
    hidden = hidden + attended @ weights["self_attn.o_proj.weight"].T
    normed = _rms(hidden, weights["post_attention_layernorm.weight"])
    inner = silu(normed @ weights["mlp.gate_proj.weight"].T) * (normed @ weights["mlp.up_proj.weight"].T)
    return hidden + inner @ weights["mlp.down_proj.weight"].T


def _rotate(states: Tensor, heads: int = 4) -> Tensor:
    size = states.shape[-1] // heads
    angles = torch.arange(len(states))[:, None] * 10000.0 ** (-torch.arange(0, size, 2) / size)
    first, second = states.unflatten(-1, (heads, size)).chunk(2, -1)
    cos, sin = angles.cos()[:, None], angles.sin()[:, None]
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1).flatten(1)


def _mpt_layer(weights: Weights, hidden: Tensor) -> Tensor:
    is_1b = "ln_1.weight" in weights
    first, second, up, down = (
        ("ln_1", "ln_2", "mlp.mlp_up", "mlp.mlp_down")
        if is_1b
        else ("norm_1", "norm_2", "ffn.up_proj", "ffn.down_proj")
    )
    width = hidden.shape[-1]
    normed = layer_norm(hidden, (width,), weights[f"{first}.weight"])
    query, key, value = (normed @ weights["attn.Wqkv.weight"].T).chunk(3, -1)
    if is_1b:
        query = layer_norm(query, (width,), weights["attn.q_ln.weight"])
        key = layer_norm(key, (width,), weights["attn.k_ln.weight"])
    places = torch.arange(len(hidden))
    slopes = torch.tensor([2.0 ** (-8 * (head + 1) / 4) for head in range(4)])
    alibi = -slopes[:, None, None] * (places[:, None] - places[None])  # by the distance of query and key
    attended = _attend(query, key, value, 4, _causal(len(hidden)) + alibi)
    hidden = hidden + attended @ weights["attn.out_proj.weight"].T
    inner = gelu(layer_norm(hidden, (width,), weights[f"{second}.weight"]) @ weights[f"{up}.weight"].T)
    return hidden + inner @ weights[f"{down}.weight"].T


def _attend(query: Tensor, key: Tensor, value: Tensor, heads: int, bias: Tensor | float = 0.0) -> Tensor:
    split = [states.unflatten(-1, (heads, -1)).transpose(0, 1) for states in (query, key, value)]
    scores = split[0] @ split[1].transpose(1, 2) / math.sqrt(split[0].shape[-1]) + bias
    assert heads != HEADS or split[0].shape[-1] == HEAD_DIM
    return (scores.softmax(-1) @ split[2]).transpose(0, 1).flatten(1)


def _causal(length: int) -> Tensor:
    return torch.full((length, length), -math.inf).triu(1)


def _feed_forward(weights: Weights, hidden: Tensor) -> Tensor:
    return gelu(_norm(hidden, weights, "0") @ weights["1.weight"].T) @ weights["3.weight"].T


def _norm(hidden: Tensor, weights: Weights, name: str) -> Tensor:
    return layer_norm(hidden, hidden.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"])


def _rms(hidden: Tensor, weight: Tensor) -> Tensor:
    return hidden / (hidden.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt() * weight


def _linear(hidden: Tensor, weights: Weights, name: str) -> Tensor:
    return hidden @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def _below(weights: Weights, prefix: str) -> Weights:
    return {key.removeprefix(prefix): tensor for key, tensor in weights.items() if key.startswith(prefix)}
