"""Image features in memory and on disk, keyed by content: each image is encoded once.

I tokens of an image in the language model, D their width.
"""

from __future__ import annotations

import copy
import inspect
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b
from typing import Any

import numpy as np
import torch
from cachetools import LRUCache
from PIL.Image import Image
from PIL.Image import new as new_image
from torch import Tensor

from lcl_lab.concepts import ImageRef
from lcl_lab.models.engine.feature_disk_cache import FeatureDiskCache
from lcl_lab.models.engine.oom import split_on_oom
from lcl_lab.models.shared_images import VisionTower, tower_features

__all__ = ["EncodedImage", "ImageEncoder", "ImageKey", "PlaceholderEncoder"]

_BYTES = 4 << 30  # maximum size of the features in memory
_NOT_OF_THE_IMAGE = {"input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids", "batch_num_images"}

ImageKey = tuple[ImageRef, bool]
"""An image, and whether it is the only one in its prompt: some models cut a single image into tiles."""


@dataclass(frozen=True)
class EncodedImage:
    """One image as the language model receives it.

    Attributes:
        ids: the tokens that represent it, including I placeholders.
        features: (I, D).
        deep: features (I, D) for deeper layers, in models that have them.
        grid: (1, 3), patches in time, height and width, in models whose position ids depend on it.
        types: 1 for each token that attends to the whole image, in models with such tokens.
        tiles: number of tiles that text attends to, in models that pad all images to the same number of tiles.
    """

    ids: tuple[int, ...]
    features: Tensor
    deep: tuple[Tensor, ...] = ()
    grid: Tensor | None = None
    types: tuple[int, ...] = ()
    tiles: int = 1

    @property
    def nbytes(self) -> int:
        """Bytes of the features."""
        return self.features.nbytes * (1 + len(self.deep))


class ImageEncoder(ABC):
    """Encodes images with a model of `transformers` and its processor.

    How images are encoded, and how a model receives them, is up to the subclasses.

    Args:
        model: an image-text-to-text model.
        processor: its processor.
        placeholder: what stands for an image in text for the processor.
        disk_cache: where features are stored between runs; None to keep them in memory only.

    Attributes:
        batch_size: images in a batch; halved whenever memory runs out.
        images_encoded: number of images that went through the vision encoder.
    """

    def __init__(
        self, model: Any, processor: Any, placeholder: str, disk_cache: FeatureDiskCache | None = None
    ) -> None:
        self._model, self._processor, self._disk_cache = model, processor, disk_cache
        self._placeholder = placeholder
        self.batch_size = 64
        self.images_encoded = 0
        self._memory: LRUCache[ImageKey, EncodedImage] = LRUCache(_BYTES, getsizeof=lambda encoded: encoded.nbytes)

    def keys(self, refs: Sequence[ImageRef]) -> list[ImageKey]:
        """The keys of the images of one prompt."""
        return [(ref, False) for ref in refs]

    def encode(self, keys: Sequence[ImageKey], image: Callable[[ImageRef], Image]) -> dict[ImageKey, EncodedImage]:
        """The encoded images, from a cache where possible.

        Args:
            keys: images; repeated keys are encoded once.
            image: returns an image in RGB.

        Raises:
            UserError: a single image needs more memory than there is.
        """
        encoded = {key: self._memory[key] for key in keys if key in self._memory}
        missing = [key for key in dict.fromkeys(keys) if key not in encoded]
        while missing:
            batch, missing = missing[: self.batch_size], missing[self.batch_size :]
            for key, one in zip(batch, self._encode_missing(batch, image), strict=True):
                encoded[key] = one
                if one.nbytes <= _BYTES:
                    self._memory[key] = one
        return encoded

    @abstractmethod
    def model_input(self, rows: Sequence[Sequence[EncodedImage]]) -> dict[str, Any]:
        """Arguments with which a model's forward receives the images of each row, in the order of their tokens."""

    @abstractmethod
    def _process(self, image: Image, alone: bool) -> Mapping[str, Tensor]:
        """The processor's tensors for one image."""

    @abstractmethod
    def _encode_inputs(self, inputs: Sequence[Mapping[str, Tensor]], alone: bool) -> list[EncodedImage]:
        """Encode a batch of images, given the processor's tensors for each."""

    def _encode_missing(self, keys: Sequence[ImageKey], image: Callable[[ImageRef], Image]) -> list[EncodedImage]:
        """Encode a batch of images that are not in memory."""
        return self._encode_batch(keys, [image(ref) for ref, _ in keys])

    def _encode_batch(self, keys: Sequence[ImageKey], images: Sequence[Image]) -> list[EncodedImage]:
        digests = [_digest(image, alone) for image, (_, alone) in zip(images, keys, strict=True)]
        stored = self._disk_cache.get(digests) if self._disk_cache else {}
        encoded = {number: EncodedImage(**stored[digest]) for number, digest in enumerate(digests) if digest in stored}
        for alone in (False, True):
            numbers = [n for n in range(len(keys)) if n not in encoded and keys[n][1] == alone]
            inputs = [self._process(images[number], alone) for number in numbers]
            for group in _by_shape(inputs):
                step = partial(self._encode_group, alone=alone)
                for part, results in split_on_oom([(place, inputs[place]) for place in group], step, self, "images"):
                    encoded |= {numbers[place]: one for (place, _), one in zip(part, results, strict=True)}
        if self._disk_cache:
            self._disk_cache.put({digests[n]: vars(one) for n, one in encoded.items() if digests[n] not in stored})
        return [encoded[number] for number in range(len(keys))]

    def _encode_group(self, numbered: Sequence[tuple[int, Mapping[str, Tensor]]], alone: bool) -> list[EncodedImage]:
        encoded = self._encode_inputs([one for _, one in numbered], alone)
        self.images_encoded += len(encoded)
        return encoded


class PlaceholderEncoder(ImageEncoder):
    """Encodes images whose features replace placeholder tokens.

    If the model has a `shared_tower`, as the mini models do, its features come from there; see `SharedImages`.

    The arguments are those of `ImageEncoder`.

    Attributes:
        token_id: id of the tokens that are replaced by features.
    """

    def __init__(
        self, model: Any, processor: Any, placeholder: str, disk_cache: FeatureDiskCache | None = None
    ) -> None:
        super().__init__(model, processor, placeholder, disk_cache)
        self._features = getattr(model, "model", model).get_image_features
        accepted = inspect.signature(self._features).parameters
        self._accepted = set(accepted) - {"self", "kwargs"}
        # Such models process an image differently when it is the only one in its prompt.
        self._depends_on_count = "batch_num_images" in accepted
        blank = self._process(new_image("RGB", (64, 64)), alone=True)
        self.token_id = _image_token_id(model.config, blank["input_ids"][0].tolist())
        self._output = self._forward([blank], alone=True)
        has_pooled = getattr(self._output, "pooler_output", None) is not None
        self._field = "pooler_output" if has_pooled else "last_hidden_state"
        self._joined = isinstance(self._output[self._field], Tensor)
        if not self._encodes_batches():
            self.batch_size = 1
        self._blank = EncodedImage(tuple(blank["input_ids"][0].tolist()), torch.empty(0), types=self._types(blank))
        self._tower = self._shared_tower()

    def keys(self, refs: Sequence[ImageRef]) -> list[ImageKey]:
        """The keys of the images of one prompt."""
        return [(ref, self._depends_on_count and len(refs) == 1) for ref in refs]

    def model_input(self, rows: Sequence[Sequence[EncodedImage]]) -> dict[str, Any]:
        """Arguments with which a model's forward receives the images of each row, in the order of their tokens."""
        images = [one for row in rows for one in row]
        if not images:
            return {}
        output = copy.copy(self._output)
        features = [one.features for one in images]
        output[self._field] = torch.cat(features)[None] if self._joined else features
        if images[0].deep:
            output["deepstack_features"] = [list(layer) for layer in zip(*(one.deep for one in images), strict=True)]
        return {"mm_encoder_outputs": {"image": output}}

    def _shared_tower(self) -> VisionTower | None:
        shared_tower = getattr(self._model, "shared_tower", None)
        if shared_tower is None:
            return None
        settings = self._processor.image_processor.to_json_string()
        return shared_tower(lambda image: self._process(image, alone=True)["pixel_values"], settings)

    def _encode_missing(self, keys: Sequence[ImageKey], image: Callable[[ImageRef], Image]) -> list[EncodedImage]:
        if self._tower is None:
            return super()._encode_missing(keys, image)
        refs = [ref for ref, _ in keys]
        rows, encoded = tower_features(image, self._tower, refs)
        self.images_encoded += encoded
        features = self._model.project_shared(np.stack([rows[ref] for ref in refs]))
        return [replace(self._blank, features=of_image) for of_image in features]

    def _encodes_batches(self) -> bool:
        """Whether images in a batch have the features that they have alone."""
        inputs = [self._process(new_image("RGB", (64, 64), color), alone=True) for color in ("white", "red")]
        try:
            together = self._encode_inputs(inputs, alone=True)
        except (RuntimeError, ValueError, IndexError):
            return False
        alone = [self._encode_inputs([one], alone=True)[0] for one in inputs]
        return all(torch.allclose(a.features, b.features, atol=1e-4) for a, b in zip(together, alone, strict=True))

    def _process(self, image: Image, alone: bool) -> Mapping[str, Tensor]:
        """The processor's tensors for one image, with its tokens as `input_ids`."""
        count = 1 if alone or not self._depends_on_count else 2
        inputs: Mapping[str, Tensor] = self._processor(
            text=[self._placeholder * count],
            images=[[image] * count],
            return_tensors="pt",
            add_special_tokens=False,
        )
        if count == 1:
            return inputs
        per_token = {key: inputs[key].chunk(2, 1)[0] for key in ("input_ids", "token_type_ids") if key in inputs}
        return per_token | {
            key: value[:1] for key, value in inputs.items() if key in self._accepted - _NOT_OF_THE_IMAGE
        }

    def _encode_inputs(self, inputs: Sequence[Mapping[str, Tensor]], alone: bool) -> list[EncodedImage]:
        output = self._forward(inputs, alone)
        ids = [tuple(one["input_ids"][0].tolist()) for one in inputs]
        counts = [row.count(self.token_id) for row in ids]
        features = _split(output[self._field], counts)
        deep = [_split(layer, counts) for layer in getattr(output, "deepstack_features", None) or ()]
        deep_by_image = zip(*deep, strict=True) if deep else [()] * len(ids)
        grids = [one.get("image_grid_thw") for one in inputs]
        types = [self._types(one) for one in inputs]
        return [EncodedImage(*fields) for fields in zip(ids, features, deep_by_image, grids, types, strict=True)]

    def _types(self, inputs: Mapping[str, Tensor]) -> tuple[int, ...]:
        """The processor's types of an image's tokens; else 1 for those that features replace."""
        for name in ("token_type_ids", "mm_token_type_ids"):
            if name in inputs:
                return tuple(inputs[name][0].tolist())
        return tuple(int(token == self.token_id) for token in inputs["input_ids"][0].tolist())

    @torch.inference_mode()
    def _forward(self, inputs: Sequence[Mapping[str, Tensor]], alone: bool) -> Any:
        names = [key for key in inputs[0] if key in self._accepted - _NOT_OF_THE_IMAGE]
        joined = {key: torch.cat([one[key] for one in inputs]).to(self._model.device) for key in names}
        batch = {
            key: value.to(self._model.dtype) if value.is_floating_point() else value for key, value in joined.items()
        }
        if self._depends_on_count:
            batch["batch_num_images"] = torch.tensor([1 if alone else 2] * len(inputs))
        return self._features(**batch, return_dict=True)


def _image_token_id(config: Any, ids: list[int]) -> int:
    """The id of the tokens that features replace, among the ids of one image."""
    named = [getattr(config, name, None) for name in ("image_token_id", "image_token_index")]
    most_common = Counter(ids).most_common(1)[0][0]  # an image is a run of the same token, with a few others around it
    return next((token for token in named if token in ids), most_common)


def _split(features: Tensor | Sequence[Tensor], counts: Sequence[int]) -> list[Tensor]:
    """The features of each image, copied so that the batch can be freed."""
    pieces = [features] if isinstance(features, Tensor) else features
    flat = torch.cat([piece.reshape(-1, piece.shape[-1]) for piece in pieces])
    return [part.clone() for part in flat.split(list(counts))]


def _by_shape(inputs: Sequence[Mapping[str, Tensor]]) -> list[list[int]]:
    """Indices of the images, grouped so that the tensors of a group can be concatenated."""
    groups: dict[object, list[int]] = {}
    for place, one in enumerate(inputs):
        shape = tuple(
            (key, tuple(value.shape[1:])) for key, value in sorted(one.items()) if key not in _NOT_OF_THE_IMAGE
        )
        groups.setdefault(shape, []).append(place)
    return list(groups.values())


def _digest(image: Image, alone: bool) -> str:
    hashed = blake2b(repr((image.size, image.mode, alone)).encode(), digest_size=16)
    hashed.update(image.tobytes())
    return hashed.hexdigest()
