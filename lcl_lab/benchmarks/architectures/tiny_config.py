"""Configs shrunk to a width of 64, two layers and a vocabulary of a few hundred tokens."""

from __future__ import annotations

import re
from typing import Any

from transformers import CONFIG_MAPPING, PreTrainedConfig

from lcl_lab.benchmarks.architectures.recipes import IMAGE_SIZE, PATCH_SIZE, WIDTH, Recipe

__all__ = ["tiny_config"]

_HEADS = 4
_HEAD_DIM = WIDTH // _HEADS
_SIZES = (
    (
        WIDTH,
        "hidden_size d_model embed_dim out_hidden_size projection_dim encoder_hidden_size decoder_hidden_size "
        "text_hidden_size vision_hidden_size image_text_hidden_size word_embed_proj_dim output_dim adapter_out_dim "
        "adapter_in_dim adapter_input_size moe_hidden_size pooler_output_size hidden_size_per_layer_input "
        "projection_hidden_size output_channels output_proj_dims mm_embed_dim moe_latent_size",
    ),
    (
        2 * WIDTH,
        "intermediate_size ffn_dim encoder_ffn_dim decoder_ffn_dim d_ff mlp_dim projector_hidden_size "
        "dense_intermediate_size intermediate_size_mlp projection_intermediate_size projection_hidden_dim "
        "alignment_intermediate_size",
    ),
    (
        WIDTH // 2,
        "moe_intermediate_size shared_intermediate_size shared_expert_intermediate_size share_expert_dim "
        "shared_experts_intermediate_size moe_shared_expert_intermediate_size kv_lora_rank q_lora_rank "
        "base_channels latent_channels downsample_hidden_size",
    ),
    (
        2,
        "num_hidden_layers encoder_layers decoder_layers layers num_layers num_decoder_layers depth n_layers "
        "conf_num_hidden_layers num_key_value_heads swa_num_key_value_heads linear_num_key_heads num_experts_per_tok "
        "moe_topk moe_k top_k_experts index_n_heads",
    ),
    (
        _HEADS,
        "num_attention_heads num_heads encoder_attention_heads decoder_attention_heads attention_heads "
        "conf_num_attention_heads swa_num_attention_heads num_sliding_attention_heads linear_num_value_heads "
        "linear_num_heads n_routed_experts num_experts num_local_experts moe_num_experts num_query_tokens "
        "resampler_n_heads resampler_n_latents latent_query_num",
    ),
    (
        _HEAD_DIM,
        "head_dim d_kv swa_head_dim linear_key_head_dim linear_value_head_dim linear_head_dim v_head_dim "
        "qk_nope_head_dim qk_rope_head_dim index_head_dim resampler_head_dim num_position_embeddings num_patches",
    ),
    (2 * _HEAD_DIM, "qk_head_dim"),
    (3 * PATCH_SIZE**2, "patch_embed_hidden_size"),
    (
        1,
        "n_group topk_group first_k_dense_replace resampler_depth n_shared_experts moe_num_shared_experts "
        "num_res_blocks num_global_layers insert_layer_id",
    ),
    (2048, "max_position_embeddings"),
    (48, "sliding_window sliding_window_size attention_chunk_size"),
    (64, "num_embeddings codebook_size position_embedding_size mm_posemb_size"),
    (8, "pos_emb_height pos_emb_width posemb_grid_size"),
    (IMAGE_SIZE, "image_size"),
    (PATCH_SIZE, "patch_size"),
)
_TINY = {attribute: size for size, attributes in _SIZES for attribute in attributes.split()}
_LAYER_INDEXES = {"global_attn_indexes": (1,), "fullatt_block_indexes": (1,), "deepstack_visual_indexes": (0, 1)}
_LAYERS = ("num_hidden_layers", "depth", "layers")


def tiny_config(name: str, recipe: Recipe, tokenizer: Any) -> Any:
    """The default config of an architecture, shrunk.

    Args:
        name: Model type of the architecture.
        recipe: What is special about it.
        tokenizer: The tokenizer, for the size of the vocabulary and the ids of special tokens.

    Returns:
        The config of a model with a few hundred thousand parameters.
    """
    config = CONFIG_MAPPING[name]()
    for part in recipe.parts:
        setattr(config, part, config.sub_configs[part]())
    _shrink(config, _Vocabulary(tokenizer, recipe.tokens | recipe.config_tokens))
    for path, value in recipe.config.items():
        _override(config, path, value(tokenizer) if callable(value) else value)
    return type(config).from_dict(config.to_dict())  # recomputes what is derived from the sizes


class _Vocabulary:
    """Ids of the special tokens that a config refers to."""

    def __init__(self, tokenizer: Any, tokens: dict[str, str]) -> None:
        self.size = len(tokenizer)
        common = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"}
        aliases = {"decoder_start_token": "<s>", "forced_eos_token": "</s>"}
        texts = common | aliases | tokens
        self._ids = {attribute: tokenizer.convert_tokens_to_ids(text) for attribute, text in texts.items()}
        self._unused = tokenizer.unk_token_id

    def id_of(self, token: str, default: Any) -> Any:
        """The id of a token; one that the tokenizer lacks keeps clear of those that prompts contain."""
        return self._ids.get(token, self._unused if isinstance(default, int) else default)


def _shrink(config: Any, vocabulary: _Vocabulary) -> None:
    layers = _drop_layers(config)
    for attribute, value in list(vars(config).items()):
        if isinstance(value, PreTrainedConfig):
            _shrink(value, vocabulary)
        elif attribute in ("vocab_size", "vocab_size_per_layer_input"):
            setattr(config, attribute, vocabulary.size)
        elif attribute in _LAYER_INDEXES:
            setattr(config, attribute, type(value)(_LAYER_INDEXES[attribute]))
        elif attribute in _TINY and value is not None:
            setattr(config, attribute, _resize(value, layers if attribute in _LAYERS else _TINY[attribute]))
        elif match := re.fullmatch(r"(\w+?)(_token)?_(id|index)", attribute):
            setattr(config, attribute, vocabulary.id_of(f"{match[1]}_token", value))


def _resize(value: Any, size: int) -> Any:
    return type(value)([size] * len(value)) if isinstance(value, list | tuple) else size


def _drop_layers(config: Any) -> int:
    """Shorten the lists of layers to two, or to as many as show every kind of layer; returns their number."""
    count = next((getattr(config, name) for name in _LAYERS if isinstance(getattr(config, name, None), int)), 0)
    special = {int(layer): values for layer, values in config.to_dict().get("per_layer_config", {}).items()}
    if special:
        config.per_layer_config = None
    per_layer = {
        name: value
        for name, value in vars(config).items()
        if isinstance(value, list | tuple) and len(value) == count and count > 2
    }
    seen: set[str] = set()
    kept: list[int] = []
    for layer in range(count):
        kinds = {f"{name}={values[layer]}" for name, values in per_layer.items() if not _counts_up(values)}
        if not kinds <= seen:
            kept.append(layer)
            seen |= kinds
    kept = kept if len(kept) > 1 else [0, 1]
    if getattr(config, "num_kv_shared_layers", 0):  # the second half reads the cache of the first
        config.num_kv_shared_layers = len(kept)
        kept = kept * 2
    for name, values in per_layer.items():
        shortened = range(len(kept)) if _counts_up(values) else (values[layer] for layer in kept)
        setattr(config, name, type(values)(shortened))
    if special:
        config.num_hidden_layers = len(kept)
        config.per_layer_config = {
            index: {name: _TINY.get(name, value) for name, value in special[layer].items()}
            for index, layer in enumerate(kept)
            if layer in special
        }
    return len(kept)


def _counts_up(values: Any) -> bool:
    """Whether a list names layers by their index."""
    return list(values) == list(range(len(values)))


def _override(config: Any, path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for parent in parents:
        config = config[parent] if isinstance(config, dict) else getattr(config, parent)
    if isinstance(config, dict):
        config[last] = value
    else:
        setattr(config, last, value)
