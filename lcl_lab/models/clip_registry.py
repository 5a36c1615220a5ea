"""CLIP models by name, for mining hard negatives: the mini CLIP, a pretrained one of `open_clip`, or a weights file.

N images or texts; D is the width of the shared embedding space.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import file_digest
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from PIL import ImageOps
from PIL.Image import Image

from lcl_lab.concepts import IMAGE_SIZE, Concept
from lcl_lab.errors import UserError, nearest
from lcl_lab.models import photo
from lcl_lab.models.checkpoint import find_checkpoint, fingerprint
from lcl_lab.models.mini.clip import image_features, load_clip, tokenize_descriptions

__all__ = ["Clip", "load_clip_by_name"]

Features = NDArray[np.float32]
_BATCH = 64


class Clip(Protocol):
    """Encodes images and concepts in one embedding space."""

    @property
    def fingerprint(self) -> str:
        """Changes whenever the features change."""

    def encode_images(self, images: Sequence[Image]) -> Features:
        """Features (N, D) of images, of unit length."""

    def encode_concepts(self, concepts: Sequence[Concept]) -> Features | None:
        """Features (N, D) of concepts' names or descriptions, of unit length; None if it encodes images only."""


def load_clip_by_name(name: str) -> Clip:
    """Load a CLIP.

    Args:
        name: `mini/prototype`, `photo/prototype`, the folder of such a checkpoint, or `MODEL:PRETRAINED` for open_clip,
            where `PRETRAINED` is one of its tags or a weights file.

    Raises:
        UserError: there is no such model.
    """
    if ":" in name:
        return _OpenClip(name)
    folder = find_checkpoint(name, option="clip").path
    return _MiniClip(folder) if (folder / "clip.safetensors").exists() else _PhotoTower(folder)


class _MiniClip:
    """Encodes concepts by their descriptions, since the names of its world are invented."""

    def __init__(self, folder: Path) -> None:
        self.fingerprint = fingerprint(folder)
        self._clip = load_clip(folder)

    def encode_images(self, images: Sequence[Image]) -> Features:
        fitted = [ImageOps.fit(image.convert("RGB"), (IMAGE_SIZE, IMAGE_SIZE)) for image in images]
        return image_features(self._clip, np.stack([np.asarray(image) for image in fitted]))

    @torch.inference_mode()
    def encode_concepts(self, concepts: Sequence[Concept]) -> Features:
        tokens = tokenize_descriptions([concept.description for concept in concepts])
        return self._clip.encode_text(tokens, normalize=True).numpy()


class _PhotoTower:
    """The vision tower of the photo models, which has no text tower."""

    def __init__(self, folder: Path) -> None:
        self.fingerprint = fingerprint(folder)
        self.encode_images = photo.PhotoImageEncoder(folder).encode_images

    def encode_concepts(self, concepts: Sequence[Concept]) -> None:
        return None


class _OpenClip:
    """Encodes concepts by their names, in the usual sentence."""

    def __init__(self, name: str) -> None:
        architecture, _, pretrained = name.partition(":")
        if architecture not in open_clip.list_models():
            reason = f"unknown model; {nearest(architecture, open_clip.list_models())}"
            raise UserError(reason, option="clip", value=name)
        tags = open_clip.list_pretrained_tags_by_model(architecture)
        file = Path(pretrained)
        if pretrained not in tags and not file.is_file():
            reason = f"neither a file nor a tag of pretrained weights; {nearest(pretrained, tags)}"
            raise UserError(reason, option="clip", value=name)
        model: Any = open_clip.create_model_and_transforms(architecture, pretrained=pretrained)
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._clip, self._transform = model[0].eval().to(self._device), model[2]
        self._tokenize = open_clip.get_tokenizer(architecture)
        self.fingerprint = name
        if pretrained not in tags:
            with file.open("rb") as content:
                self.fingerprint = f"{architecture}/{file_digest(content, 'sha256').hexdigest()[:16]}"

    @torch.inference_mode()
    def encode_images(self, images: Sequence[Image]) -> Features:
        rows = []
        for start in range(0, len(images), _BATCH):
            pixels = torch.stack([self._transform(image.convert("RGB")) for image in images[start : start + _BATCH]])
            rows.append(self._clip.encode_image(pixels.to(self._device), normalize=True).float().cpu())
        return torch.cat(rows).numpy()

    @torch.inference_mode()
    def encode_concepts(self, concepts: Sequence[Concept]) -> Features:
        tokens = self._tokenize([f"a photo of a {concept.name}." for concept in concepts])
        return self._clip.encode_text(tokens.to(self._device), normalize=True).float().cpu().numpy()
