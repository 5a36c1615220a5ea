"""Shares prefixes in models whose text attends to images by cross-attention: Mllama (Llama 3.2), Idefics and Flamingo.

Their language models receive one token per image, and a mask of the images that each token attends to. Tokens that
continue a prompt attend to the images of its last token.

B rows of a batch, L tokens of a prompt so far, T of them new, N images of each row, I features of an image and D their
width.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from PIL.Image import Image
from PIL.Image import new as new_image
from torch import Tensor
from transformers.models.mllama.processing_mllama import get_cross_attention_token_mask

from lcl_lab.models.engine.feature_disk_cache import FeatureDiskCache
from lcl_lab.models.engine.fork_engine import ForkedState, ForkEngine
from lcl_lab.models.engine.prefix_tree import Node
from lcl_lab.models.engine.prompt_encoder import EncodedPrompt
from lcl_lab.models.engine.tree_engine import Segment
from lcl_lab.models.engine.vision_cache import EncodedImage, ImageEncoder, ImageKey
from lcl_lab.models.flamingo.gated_attention import count_images

__all__ = ["CROSS_ATTENTION_ENCODERS", "CrossAttentionEncoder", "CrossAttentionEngine"]


@dataclass(frozen=True)
class _Opening:
    """A unit of a prefix tree: the first token of a prompt, and all images of the prompt."""

    token: int
    images: tuple[ImageKey, ...]


class CrossAttentionEncoder(ImageEncoder):
    """Encodes images of an architecture with cross-attention, and writes what its forward needs to know about them.

    The arguments are those of `ImageEncoder`.

    Attributes:
        token_id: id of the token that stands for an image.
        mask_name: name of the argument for the images that each token attends to.
        in_cache: whether the model's cache contains the images of earlier tokens.
    """

    mask_name: str
    in_cache: bool

    def __init__(
        self, model: Any, processor: Any, placeholder: str, disk_cache: FeatureDiskCache | None = None
    ) -> None:
        super().__init__(model, processor, placeholder, disk_cache)
        self.token_id = int(processor.image_token_id)

    def units(self, prompt: EncodedPrompt, keys: Sequence[ImageKey]) -> list[Hashable]:
        """The units of a prompt in the prefix tree, given the keys of its images."""
        return prompt.units(keys)

    @abstractmethod
    def mask(self, ids: Sequence[int], images: Sequence[EncodedImage]) -> Tensor | None:
        """Which images each token of a prompt attends to, (L, ...); None if the model needs no mask."""

    def _encoded(self, features: Tensor, tiles: Sequence[int]) -> list[EncodedImage]:
        return [
            EncodedImage((self.token_id,), one.clone(), types=(0,), tiles=count)
            for one, count in zip(features, tiles, strict=True)
        ]


class MllamaEncoder(CrossAttentionEncoder):
    """Images of Llama 3.2 Vision. The tokens before the first image depend on all images of the prompt.

    In `transformers`, a token whose mask has no image attends to all of them with equal mask, and only what the
    feedforward network adds is removed (issue 39379). Hence prompts share prefixes only if they have the same images.
    """

    mask_name = "cross_attention_mask"
    in_cache = True

    def units(self, prompt: EncodedPrompt, keys: Sequence[ImageKey]) -> list[Hashable]:
        """The units of a prompt in the prefix tree: all images come with its first token."""
        return [_Opening(prompt.prefix[0], tuple(keys)), *prompt.prefix[1:]]

    def mask(self, ids: Sequence[int], images: Sequence[EncodedImage]) -> Tensor | None:
        """Which tiles of which images each token attends to, (L, N, tiles): by the rule of the model's processor."""
        if not images:
            return None
        tiles = self._model.config.vision_config.max_num_tiles
        mask = torch.zeros(len(ids), len(images), tiles, dtype=torch.long, device=self._model.device)
        for number, (start, end) in enumerate(get_cross_attention_token_mask(list(ids), self.token_id)):
            mask[start : len(ids) if end < 0 else end, number, : images[number].tiles] = 1
        return mask

    def model_input(self, rows: Sequence[Sequence[EncodedImage]]) -> dict[str, Any]:
        """The states (B, N * I, D) that cross-attention layers add to their cache."""
        if not rows[0]:
            return {}
        return {"cross_attention_states": torch.stack([torch.cat([one.features for one in row]) for row in rows])}

    def _process(self, image: Image, alone: bool) -> Mapping[str, Tensor]:
        inputs = self._processor(text=[self._placeholder], images=[[image]], return_tensors="pt")
        return {name: inputs[name] for name in ("pixel_values", "aspect_ratio_ids", "aspect_ratio_mask")}

    @torch.inference_mode()
    def _encode_inputs(self, inputs: Sequence[Mapping[str, Tensor]], alone: bool) -> list[EncodedImage]:
        batch = {name: torch.cat([one[name] for one in inputs]).to(self._model.device) for name in inputs[0]}
        states = self._model.model.vision_model(**batch).last_hidden_state
        features = self._model.model.multi_modal_projector(states).flatten(1, 3)
        return self._encoded(features, batch["aspect_ratio_mask"].sum((1, 2)).tolist())


class IdeficsEncoder(CrossAttentionEncoder):
    """Images of Idefics, which receives all images so far in every forward pass."""

    mask_name = "image_attention_mask"
    in_cache = False

    def __init__(
        self, model: Any, processor: Any, placeholder: str, disk_cache: FeatureDiskCache | None = None
    ) -> None:
        super().__init__(model, processor, placeholder, disk_cache)
        self._end_id = processor.tokenizer.eos_token_id
        self._has_resampler = bool(model.config.use_resampler)
        # A prompt without images comes with one that no token attends to.
        (self._blank,) = self._encode_inputs([self._process(new_image("RGB", (64, 64)), alone=True)], alone=True)

    def mask(self, ids: Sequence[int], images: Sequence[EncodedImage]) -> Tensor | None:
        """Which image each token attends to, (L, N): the last one, unless a sequence has ended since then."""
        mask = torch.zeros(len(ids), max(1, len(images)), dtype=torch.long, device=self._model.device)
        seen, ended = 0, False
        for place, token in enumerate(ids):
            if token == self.token_id:
                seen, ended = seen + 1, False
            if seen and not ended:
                mask[place, seen - 1] = 1
            ended = ended or token == self._end_id
        return mask

    def model_input(self, rows: Sequence[Sequence[EncodedImage]]) -> dict[str, Any]:
        """The features of all images so far, (B, N, I, D)."""
        name = "perceiver_embeddings" if self._has_resampler else "image_encoder_embeddings"
        features = [torch.stack([one.features for one in row or [self._blank]]) for row in rows]
        return {name: torch.stack(features)}

    def _process(self, image: Image, alone: bool) -> Mapping[str, Tensor]:
        return {"pixel_values": self._processor(text=[["", image]], return_tensors="pt")["pixel_values"][:, 0]}

    @torch.inference_mode()
    def _encode_inputs(self, inputs: Sequence[Mapping[str, Tensor]], alone: bool) -> list[EncodedImage]:
        pixels = torch.cat([one["pixel_values"] for one in inputs]).to(self._model.device, self._model.dtype)
        features = self._model.model.vision_model(pixel_values=pixels).last_hidden_state
        if self._has_resampler:
            features = self._model.model.perceiver_resampler(features)
        return self._encoded(features, [1] * len(inputs))


class FlamingoEncoder(CrossAttentionEncoder):
    """Images of OpenFlamingo and Otter, which receive all images so far in every forward pass."""

    mask_name = "image_index"
    in_cache = False

    def mask(self, ids: Sequence[int], images: Sequence[EncodedImage]) -> Tensor | None:
        """The number of the image that each token attends to, (L,): the last one in front of it, or 0."""
        return count_images(torch.tensor(ids, device=self._model.device), self.token_id)

    def model_input(self, rows: Sequence[Sequence[EncodedImage]]) -> dict[str, Any]:
        """The latents of all images so far, (B, N, I, D)."""
        if not rows[0]:
            return {}
        return {"image_latents": torch.stack([torch.stack([one.features for one in row]) for row in rows])}

    def _process(self, image: Image, alone: bool) -> Mapping[str, Tensor]:
        inputs = self._processor(text=[self._placeholder], images=[[image]], return_tensors="pt")
        return {"pixel_values": inputs["pixel_values"]}

    @torch.inference_mode()
    def _encode_inputs(self, inputs: Sequence[Mapping[str, Tensor]], alone: bool) -> list[EncodedImage]:
        pixels = torch.cat([one["pixel_values"] for one in inputs]).to(self._model.device, self._model.dtype)
        return self._encoded(self._model.encode_images(pixels)[:, 0], [1] * len(inputs))


CROSS_ATTENTION_ENCODERS: Mapping[str, type[CrossAttentionEncoder]] = {
    "idefics": IdeficsEncoder,
    "lcl_flamingo": FlamingoEncoder,
    "mllama": MllamaEncoder,
}
"""The image encoder of each model type with cross-attention to images."""


class CrossAttentionEngine(ForkEngine):
    """Evaluates prompts of a model with cross-attention to images. The rows of a batch have equally many images.

    The arguments are those of `TreeEngine`.
    """

    images: CrossAttentionEncoder

    def _image_encoder(
        self, model: Any, processor: Any, placeholder: str, disk_cache: FeatureDiskCache | None
    ) -> CrossAttentionEncoder:
        return CROSS_ATTENTION_ENCODERS[model.config.model_type](model, processor, placeholder, disk_cache)

    def _units(self, prompt: EncodedPrompt, keys: Sequence[ImageKey]) -> list[Hashable]:
        return self.images.units(prompt, keys)

    def _segment(self, node: Node, encoded: Mapping[ImageKey, EncodedImage]) -> Segment:
        opening = node.units[0]
        if not isinstance(opening, _Opening):
            return super()._segment(node, encoded)
        ids: list[int] = [opening.token, *node.units[1:]]  # type: ignore[list-item]
        return Segment(ids, [0] * len(ids), [encoded[key] for key in opening.images])

    def _arguments(self, segments: Sequence[Segment], prefix: Segment) -> dict[str, Any]:
        paths = [prefix + segment for segment in segments]
        masks = [self.images.mask(path.ids, path.images) for path in paths]
        new = len(segments[0].ids)
        attended = [mask[-new:] for mask in masks if mask is not None]
        return {
            **self.images.model_input([row.images for row in (segments if self.images.in_cache else paths)]),
            **({self.images.mask_name: torch.stack(attended)} if attended else {}),
        }

    def _state(
        self, cache: Any, mask: Tensor, positions: Tensor, logits: Tensor, arguments: Mapping[str, Any]
    ) -> ForkedState:
        per_token = {name: value[:, -1:] for name, value in arguments.items() if name == self.images.mask_name}
        per_row = {} if self.images.in_cache else {n: value for n, value in arguments.items() if n not in per_token}
        return _CrossAttentionState(self._model, cache, mask, positions, logits, per_row, per_token)


class _CrossAttentionState(ForkedState):
    """A batch of prompts whose next tokens attend to the images of the last one.

    Args:
        per_row: arguments of every forward pass, (B, ...).
        per_token: arguments of the last token, (B, 1, ...), which are repeated for each new token.
    """

    def __init__(
        self,
        model: Any,
        cache: Any,
        mask: Tensor,
        positions: Tensor,
        logits: Tensor,
        per_row: Mapping[str, Tensor],
        per_token: Mapping[str, Tensor],
    ) -> None:
        super().__init__(model, cache, mask, positions, logits)
        self._per_row, self._per_token = per_row, per_token

    def _with_rows(self, index: Tensor, cache: Any) -> Self:
        selected = super()._with_rows(index, cache)
        selected._per_row = {name: value[index] for name, value in self._per_row.items()}
        selected._per_token = {name: value[index] for name, value in self._per_token.items()}
        return selected

    def _arguments(self, tokens: int) -> dict[str, Any]:
        repeated = {name: value.repeat_interleave(tokens, dim=1) for name, value in self._per_token.items()}
        return {**self._per_row, **repeated}
