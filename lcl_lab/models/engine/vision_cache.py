"""What a model sees of images: each looked at once, and remembered by its content.

I tokens of one image in the language model, D their width.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import Any

import torch
from cachetools import LRUCache
from PIL.Image import Image
from PIL.Image import new as new_image
from torch import Tensor

from lcl_lab.concepts import ImageRef
from lcl_lab.models.engine.feature_disk_cache import FeatureDiskCache
from lcl_lab.models.engine.oom import split_on_oom

__all__ = ["EncodedImage", "ImageEncoder", "Key"]

_BYTES = 4 << 30  # of features kept in memory
_NOT_OF_THE_IMAGE = {"input_ids", "attention_mask", "mm_token_type_ids", "batch_num_images"}

Key = tuple[ImageRef, bool]
"""An image, and whether it is alone in its prompt: some models cut a single image into tiles."""


@dataclass(frozen=True)
class EncodedImage:
    """One image in the language model.

    `ids` are the tokens that stand for it, of which I are placeholders; `features` is (I, D), `deep` the same for
    the layers that are given features of their own. `grid` is (1, 3), patches in time, height and width, where
    positions depend on it.
    """

    ids: tuple[int, ...]
    features: Tensor
    deep: tuple[Tensor, ...] = ()
    grid: Tensor | None = None

    @property
    def nbytes(self) -> int:
        return self.features.nbytes * (1 + len(self.deep))


class ImageEncoder:
    """Looks at images with a model of `transformers` and its processor."""

    def __init__(self, model: Any, processor: Any, store: FeatureDiskCache | None = None) -> None:
        self._model, self._processor, self._store = model, processor, store
        self.batch_size = 64  # images; halved whenever memory runs out
        self._kept: LRUCache[Key, EncodedImage] = LRUCache(_BYTES, getsizeof=lambda seen: seen.nbytes)
        accepted = inspect.signature(model.model.get_image_features).parameters
        self._accepted = set(accepted) - {"self", "kwargs"}
        self._tells_crowds = "batch_num_images" in accepted
        output = self._output([self._read(new_image("RGB", (64, 64)), alone=True)], alone=True)
        self._flat = isinstance(output.pooler_output, Tensor)
        self._empty = type(output)()  # what this model gives for images, to be filled with features
        self.looked = 0  # images given to the vision tower

    def keys(self, refs: Sequence[ImageRef]) -> list[Key]:
        """The images of one prompt."""
        return [(ref, self._tells_crowds and len(refs) == 1) for ref in refs]

    def see(self, keys: Sequence[Key], image: Callable[[ImageRef], Image]) -> dict[Key, EncodedImage]:
        """All of these images, from what is kept or anew."""
        found = {key: self._kept[key] for key in keys if key in self._kept}
        new = [key for key in dict.fromkeys(keys) if key not in found]
        while new:
            some, new = new[: self.batch_size], new[self.batch_size :]
            for key, seen in zip(some, self._look(some, [image(ref) for ref, _ in some]), strict=True):
                found[key] = seen
                if seen.nbytes <= _BYTES:
                    self._kept[key] = seen
        return found

    def given(self, seen: Sequence[EncodedImage]) -> dict[str, Any]:
        """These images as a model's forward takes them, in the order of their placeholders."""
        output = copy.copy(self._empty)
        features = [one.features for one in seen]
        output["pooler_output"] = torch.cat(features)[None] if self._flat else features
        if seen[0].deep:
            output["deepstack_features"] = [list(layer) for layer in zip(*(one.deep for one in seen), strict=True)]
        return {"image": output}

    def _look(self, keys: Sequence[Key], images: Sequence[Image]) -> list[EncodedImage]:
        digests = [_digest(image, alone) for image, (_, alone) in zip(images, keys, strict=True)]
        stored = self._store.get(digests) if self._store else {}
        found = {number: EncodedImage(**stored[digest]) for number, digest in enumerate(digests) if digest in stored}
        for alone in (False, True):
            some = [number for number in range(len(keys)) if number not in found and keys[number][1] == alone]
            read = [self._read(images[number], alone) for number in some]
            for group in _of_one_shape(read):
                encode = partial(self._encode, alone=alone)
                for part, seen in split_on_oom([(place, read[place]) for place in group], encode, self, "images"):
                    found |= {some[place]: one for (place, _), one in zip(part, seen, strict=True)}
        if self._store:
            self._store.put({digests[n]: vars(one) for n, one in found.items() if digests[n] not in stored})
        return [found[number] for number in range(len(keys))]

    def _read(self, image: Image, alone: bool) -> Mapping[str, Tensor]:
        """The processor's tensors of one image, its tokens under `input_ids`."""
        count = 1 if alone or not self._tells_crowds else 2
        read: Mapping[str, Tensor] = self._processor(
            text=[self._processor.image_token * count],
            images=[[image] * count],
            return_tensors="pt",
            add_special_tokens=False,
        )
        if count == 1:
            return read
        return {"input_ids": read["input_ids"].chunk(2, 1)[0]} | {
            key: value[:1] for key, value in read.items() if key in self._accepted - _NOT_OF_THE_IMAGE
        }

    def _encode(self, numbered: Sequence[tuple[int, Mapping[str, Tensor]]], alone: bool) -> list[EncodedImage]:
        read = [one for _, one in numbered]
        output = self._output(read, alone)
        self.looked += len(read)
        ids = [tuple(one["input_ids"][0].tolist()) for one in read]
        counts = [row.count(self._processor.image_token_id) for row in ids]
        features = _parts(output.pooler_output, counts)
        deep = [_parts(layer, counts) for layer in getattr(output, "deepstack_features", None) or ()]
        by_image = zip(*deep, strict=True) if deep else [()] * len(ids)
        grids = [one.get("image_grid_thw") for one in read]
        return [EncodedImage(*parts) for parts in zip(ids, features, by_image, grids, strict=True)]

    @torch.inference_mode()
    def _output(self, read: Sequence[Mapping[str, Tensor]], alone: bool) -> Any:
        names = [key for key in read[0] if key in self._accepted - _NOT_OF_THE_IMAGE]
        inputs = {key: torch.cat([one[key] for one in read]).to(self._model.device) for key in names}
        inputs["pixel_values"] = inputs["pixel_values"].to(self._model.dtype)
        if self._tells_crowds:
            inputs["batch_num_images"] = torch.tensor([1 if alone else 2] * len(read))
        return self._model.model.get_image_features(**inputs, return_dict=True)


def _parts(features: Tensor | Sequence[Tensor], counts: Sequence[int]) -> list[Tensor]:
    """The features of each image, as copies that keep nothing else alive."""
    pieces = [features] if isinstance(features, Tensor) else features
    flat = torch.cat([piece.reshape(-1, piece.shape[-1]) for piece in pieces])
    return [part.clone() for part in flat.split(list(counts))]


def _of_one_shape(read: Sequence[Mapping[str, Tensor]]) -> list[list[int]]:
    """Images whose tensors can be joined in a batch, by their place."""
    groups: dict[object, list[int]] = {}
    for place, one in enumerate(read):
        shape = tuple(
            (key, tuple(value.shape[1:])) for key, value in sorted(one.items()) if key not in _NOT_OF_THE_IMAGE
        )
        groups.setdefault(shape, []).append(place)
    return list(groups.values())


def _digest(image: Image, alone: bool) -> str:
    hashed = blake2b(repr((image.size, image.mode, alone)).encode(), digest_size=16)
    hashed.update(image.tobytes())
    return hashed.hexdigest()
