"""The mini model: a LLaVA of about 1.5 M parameters that learns to follow a link on a CPU.

It is `LlavaForConditionalGeneration` with one change: the P = 64 patch features of an image are averaged over the four
quadrants before the projector, so an image becomes I = 4 tokens. The decoder is a standard Llama. Only its
initialisation lets it leave the loss plateau that precedes in-context learning (Chan et al., arXiv 2205.05055); see
`_initialise_look_back_heads`. B is the batch size, D a width.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from PIL.Image import Image
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForImageTextToText,
    CLIPVisionModel,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PreTrainedModel,
)
from transformers.models.llama.modeling_llama import LlamaAttention

from lcl_lab.models import photo
from lcl_lab.models.feature_store import Row
from lcl_lab.models.mini.shared_tower import QUADRANTS, SharedTower, pool_quadrants
from lcl_lab.models.shared_images import VisionTower

__all__ = ["IMAGE_TOKENS", "MiniConfig", "MiniForConditionalGeneration", "build_mini"]

IMAGE_TOKENS = QUADRANTS
"""I, the number of tokens of an image."""


class MiniConfig(LlavaConfig):
    """A `LlavaConfig` with its own `model_type`, by which `AutoModelForImageTextToText` finds the model class."""

    model_type = "lcl_mini"


class PooledProjector(nn.Module):
    """Projects vision features to decoder inputs; each token combines its quadrant with the whole image.

    Each token has a separate projection of the whole image. This matters because a name's position gathers one part of
    its width from each token, and objects rotate and move, so a part of a quadrant carries little information.

    Args:
        width: width of the vision features.
        out: width of the decoder inputs.
    """

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.quadrant = nn.Linear(width, out)
        self.whole = nn.Linear(width, QUADRANTS * out)

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """Patch features (B, P, D_vision) → decoder inputs (B, I, D)."""
        return self.project(pool_quadrants(patches))

    def project(self, pooled: torch.Tensor) -> torch.Tensor:
        """The trainable part only, for features that were pooled before: (B, I, D_vision) → (B, I, D)."""
        whole = self.whole(self.norm(pooled.mean(1))).unflatten(-1, (QUADRANTS, -1))
        return self.quadrant(self.norm(pooled)) + whole


class MiniForConditionalGeneration(LlavaForConditionalGeneration):
    """A LLaVA whose projector pools, so that pooled vision features can be computed once and reused."""

    config_class = MiniConfig

    def __init__(self, config: MiniConfig) -> None:
        super().__init__(config)
        self.model.multi_modal_projector = PooledProjector(
            config.vision_config.hidden_size, config.text_config.hidden_size
        )
        self.post_init()

    def project(self, pooled: torch.Tensor) -> torch.Tensor:
        """Pooled vision features (B, I, D_vision) → decoder inputs (B, I, D)."""
        return self.model.multi_modal_projector.project(pooled)

    def shared_tower(self, prepare: Callable[[Image], torch.Tensor], preparation: str) -> VisionTower | None:
        """The vision tower without the projector, for features that models share; see `SharedTower` for the arguments.

        None where the config selects other features of the tower.
        """
        selected = self.config.vision_feature_layer, self.config.vision_feature_select_strategy
        tower = self.model.vision_tower
        if isinstance(tower, CLIPVisionModel):
            return SharedTower(tower, prepare, preparation) if selected == (-1, "default") else None
        return photo.SharedPhotoTower(tower, prepare, preparation) if selected == (-1, "full") else None

    @torch.inference_mode()
    def project_shared(self, features: Row) -> torch.Tensor:
        """Features (B, I + 1, D_vision) of the shared tower → decoder inputs (B, I, D)."""
        return self.project(torch.from_numpy(features[:, :QUADRANTS]).to(self.device, self.dtype))


def build_mini(
    tower: PreTrainedModel, vocabulary: int, image_token: int, end_token: int, copies: bool = False
) -> MiniForConditionalGeneration:
    """An untrained model around a trained and frozen vision tower.

    Args:
        tower: the vision tower, such as that of a mini CLIP.
        vocabulary: number of tokens.
        image_token: id of the image placeholder.
        end_token: id of the token that ends an answer.
        copies: initialise it so that it repeats the tokens that it attends to, see `_initialise_copying`.

    Returns:
        A model whose weights are drawn from torch's global generator.
    """
    text = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=128,
        intermediate_size=352,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=4,
        attention_bias=True,
        max_position_embeddings=1024,
        tie_word_embeddings=copies,
        bos_token_id=None,
        eos_token_id=end_token,
        pad_token_id=0,
    )
    config = MiniConfig(
        vision_config=tower.config,
        text_config=text,
        image_token_index=image_token,
        vision_feature_layer=-1,
        # The first feature of a CLIP is that of no place in the image.
        vision_feature_select_strategy="default" if isinstance(tower, CLIPVisionModel) else "full",
        tie_word_embeddings=copies,
    )
    model = MiniForConditionalGeneration(config)
    model.model.vision_tower.load_state_dict(tower.state_dict())
    model.model.vision_tower.requires_grad_(False)
    model.generation_config.eos_token_id = end_token
    _initialise_look_back_heads(model)
    if copies:
        _initialise_copying(model)
    return model


def _initialise_look_back_heads(model: MiniForConditionalGeneration) -> None:
    """Initialise the decoder so that following a link is quick to learn.

    A name can only be matched to a later query if its position carries the features of its image. A randomly
    initialised transformer must first learn heads that copy these features, and gets no reward for it until other
    heads match them. So, before training, every head of the first layer averages the last few positions (the biases
    of query and key, rotated by the rotary embedding, peak at that distance) and copies its share of the width: the
    features of an image reach its name and, likewise, the end of the query. In the other layers, query and key
    projections are equal, so that similar positions attend to each other. Training may change all of it.
    """
    layers = model.model.language_model.layers
    with torch.no_grad():
        _look_back(layers[0].self_attn, model.config.text_config.rope_parameters["rope_theta"])
        for layer in layers[1:]:
            attention = layer.self_attn
            nn.init.normal_(attention.k_proj.weight, std=_MATCH_STD)
            attention.q_proj.weight.copy_(attention.k_proj.weight)
        # Embeddings of names must be as large as the image features that are copied onto them.
        nn.init.normal_(model.get_input_embeddings().weight, std=_EMBEDDING_STD)


_MATCH_STD = 0.06
_EMBEDDING_STD = 0.5
_TIED_SCALE = 0.15
_PASSED_ON = 0.5  # gain of values and of outputs
_COPY = 1.0  # gain of the copied features
_DISTANCE = 2.5  # positions back where attention peaks
_SHARPNESS = 2.0  # of the peak; at 2, its neighbouring positions get 0.6 of its weight


def _initialise_copying(model: MiniForConditionalGeneration) -> None:
    """Initialise the decoder so that a token that it attends to becomes the likely next one.

    A name is answered by repeating it token by token. With an output layer of its own, that has to be learned for every
    token, which takes long if there are many (a vocabulary of 1,024: after 200 steps of 64 episodes the loss was 4.1
    nats per token, with this initialisation 2.7). So the output layer is that of the input, and the layers after the
    first pass on what they attend to. Training may change all of it.
    """
    decoder = model.model.language_model
    with torch.no_grad():
        decoder.norm.weight.fill_(_TIED_SCALE)  # else the first predictions would be far too sure
        for layer in decoder.layers[1:]:
            for weight in (layer.self_attn.v_proj.weight, layer.self_attn.o_proj.weight):
                weight.copy_(_PASSED_ON * torch.eye(len(weight)))


def _look_back(attention: LlamaAttention, theta: float) -> None:
    size = attention.head_dim
    heads = attention.q_proj.out_features // size
    frequencies = theta ** (-torch.arange(size // 2) / (size // 2))
    angles = frequencies * _DISTANCE
    for head in range(heads):
        share = slice(head * size, (head + 1) * size)
        attention.k_proj.bias[share] = _SHARPNESS * torch.cat([torch.ones(size // 2), torch.zeros(size // 2)])
        attention.q_proj.bias[share] = _SHARPNESS * torch.cat([torch.cos(angles), -torch.sin(angles)])
        copied = torch.zeros(size, attention.v_proj.in_features)
        copied[:, share] = torch.eye(size)
        attention.v_proj.weight[share] = copied
        attention.o_proj.weight[:, share] = _COPY * copied.T


AutoConfig.register(MiniConfig.model_type, MiniConfig)
AutoModelForImageTextToText.register(MiniConfig, MiniForConditionalGeneration)
