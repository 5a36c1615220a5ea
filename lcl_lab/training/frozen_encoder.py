"""Outputs of a frozen vision encoder, kept by the content of each image, so that training computes them only once.

Nothing depends on the architecture here: the first images that are encoded together show whether each can be encoded
alone.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, SupportsIndex

import torch
from cachetools import LRUCache
from torch import Tensor, nn
from transformers.utils import ModelOutput

from lcl_lab.training.trainable_parts import frozen_modules, part_of

__all__ = ["FrozenEncoder", "keep_outputs"]

_CAPACITY = 8 << 30  # bytes of outputs in memory
_TOLERANCE = 1e-4  # between an image encoded alone and with others, relative to the largest entry

_Key = tuple[str, int]
"""A field of an output, and the position in it if it is a tuple, such as that of all layers."""


def keep_outputs(model: nn.Module) -> list[FrozenEncoder]:
    """Let the frozen vision encoders of a model keep their outputs.

    An encoder that contains a trained module, as those of Qwen contain the projector, encodes images in every step.

    Args:
        model: an image-text-to-text model whose trained parameters are known.
    """
    names = {module: name for name, module in model.named_modules()}
    encoders = [module for module in frozen_modules(model) if part_of(names[module]) == "vision"]
    return [FrozenEncoder(encoder) for encoder in encoders]


class FrozenEncoder:
    """Replaces the forward method of an encoder by one that computes every image once, and alone.

    An encoder whose output for an image depends on the other images is left as it is.

    Args:
        module: the encoder; none of its parameters is trained.

    Attributes:
        images_encoded: number of images that were computed to be kept.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._compute: Callable[..., Any] = module.forward
        self._parameters = list(inspect.signature(module.forward).parameters)
        self._tried = False
        self._example: ModelOutput | None = None  # that of several images, if they can be encoded one at a time
        self._dims: dict[_Key, int] = {}  # along which tensors of images are joined
        self._read: set[int] = set()  # positions in tuples that the model reads; the others are not kept
        self._kept: LRUCache[bytes, dict[_Key, Tensor]] = LRUCache(_CAPACITY, getsizeof=_bytes)
        self.images_encoded = 0
        module.forward = self._forward

    def release(self) -> None:
        """Give the encoder its own forward method back."""
        self._module.forward = self._compute

    def _forward(self, *args: Any, **kwargs: Any) -> Any:
        arguments = {**dict(zip(self._parameters, args, strict=False)), **kwargs}
        images = _images(arguments)
        if not self._tried and len(images) > 1:
            self._tried = True
            return self._try(arguments, images)
        if self._example is None or not images:
            return self._compute(**arguments)
        return self._join([self._output(image) for image in images], self._example)

    def _try(self, arguments: Mapping[str, Any], images: Sequence[Mapping[str, Any]]) -> Any:
        """Compute images together and alone; from now on they are computed alone if the outputs agree."""
        whole = self._compute(**arguments)
        if not isinstance(whole, ModelOutput):
            return whole
        alone = [_tensors(self._compute(**image)) for image in images]
        dims = {key: _joining_dim(value, [one.get(key) for one in alone]) for key, value in _tensors(whole).items()}
        self._dims = {key: dim for key, dim in dims.items() if dim is not None}
        if len(self._dims) < len(dims):
            return whole
        self._example = whole
        return self._join(alone, whole)

    def _output(self, image: Mapping[str, Any]) -> dict[_Key, Tensor]:
        """The output of an image, computed unless it is kept."""
        digest = _digest(image)
        output = self._kept.get(digest)
        if output is None:
            with torch.no_grad():
                computed = _tensors(self._compute(**image))
            self.images_encoded += 1
            output = {(name, place): one.cpu() for (name, place), one in computed.items() if place in {-1, *self._read}}
            if _bytes(output) <= _CAPACITY:
                self._kept[digest] = output
        return output

    def _join(self, outputs: Sequence[Mapping[_Key, Tensor]], example: ModelOutput) -> ModelOutput:
        """One output of several images."""
        device = next(self._module.parameters()).device
        joined = {key: torch.cat([one[key] for one in outputs], self._dims[key]).to(device) for key in outputs[0]}
        fields = {
            name: _Layers([joined.get((name, place)) for place in range(len(value))], self._read)
            if isinstance(value, (tuple, list))
            else joined[name, -1]
            for name, value in example.items()
        }
        return type(example)(**fields)


class _Layers(tuple[Tensor | None, ...]):
    """Tensors of layers that remembers which of them are read."""

    read: set[int]

    def __new__(cls, layers: Sequence[Tensor | None], read: set[int]) -> _Layers:
        self = super().__new__(cls, layers)
        self.read = read
        return self

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, SupportsIndex):
            self.read.add(range(len(self))[place])
        return super().__getitem__(place)

    def __iter__(self) -> Iterator[Any]:
        self.read.update(range(len(self)))
        return super().__iter__()


def _images(arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The arguments with which each image is encoded alone; none if they are not known."""
    pixels, grid = next(iter(arguments.values())), arguments.get("grid_thw")
    tensors = {name: value for name, value in arguments.items() if isinstance(value, Tensor)}
    if grid is not None and len(tensors) == 2:  # patches of all images one after another
        parts = pixels.split(grid.prod(1).tolist())
        name = next(iter(arguments))
        return [{**arguments, name: part, "grid_thw": row[None]} for part, row in zip(parts, grid, strict=True)]
    if grid is None and isinstance(pixels, Tensor) and pixels.ndim == 4:
        of_images = {name: value for name, value in tensors.items() if value.shape[0] == len(pixels)}
        return [
            {**arguments, **{name: value[number : number + 1] for name, value in of_images.items()}}
            for number in range(len(pixels))
        ]
    return []


def _tensors(output: ModelOutput) -> dict[_Key, Tensor]:
    single = {(name, -1): value for name, value in output.items() if isinstance(value, Tensor)}
    several = [(name, value) for name, value in output.items() if isinstance(value, (tuple, list))]
    return single | {
        (name, place): one for name, value in several for place, one in enumerate(value) if one is not None
    }


def _joining_dim(whole: Tensor, parts: Sequence[Tensor | None]) -> int | None:
    """The dimension along which the tensors of single images are joined to that of all; None if there is none."""
    known = [part for part in parts if part is not None and part.ndim == whole.ndim]
    bound = _TOLERANCE * max(1.0, float(whole.abs().max()))
    for dim in range(whole.ndim if len(known) == len(parts) else 0):
        around = {(*part.shape[:dim], *part.shape[dim + 1 :]) for part in (whole, *known)}
        fits = len(around) == 1 and sum(part.shape[dim] for part in known) == whole.shape[dim]
        if fits and bool(((torch.cat(known, dim) - whole).abs() <= bound).all()):
            return dim
    return None


def _digest(image: Mapping[str, Any]) -> bytes:
    """Of the arguments of an image, and of the precision in which they are computed."""
    hashed = blake2b(digest_size=16)
    for name, value in sorted(image.items()):
        hashed.update(repr((name, getattr(value, "dtype", value), getattr(value, "shape", None))).encode())
        if isinstance(value, Tensor):
            hashed.update(value.detach().cpu().reshape(-1).view(torch.uint8).numpy().data)
            hashed.update(repr((torch.is_autocast_enabled(value.device.type),)).encode())
    return hashed.digest()


def _bytes(output: Mapping[_Key, Tensor]) -> int:
    return sum(tensor.nbytes for tensor in output.values())
