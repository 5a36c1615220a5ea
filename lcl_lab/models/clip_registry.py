"""CLIPs by name, for mining hard negatives: the embedded one, or any that `open_clip` has or a file holds.

N images or texts, D width of the space that they share.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ImageOps
from PIL.Image import Image

from lcl_lab.concepts import IMAGE_SIZE, Concept
from lcl_lab.errors import UserError, nearest
from lcl_lab.models.checkpoint import find_checkpoint, fingerprint
from lcl_lab.models.mini.clip import image_features, load_clip, read_words

__all__ = ["Clip", "load_clip_by_name"]

Features = NDArray[np.float32]
_BATCH = 64


class Clip(Protocol):
    """What sees images and reads concepts in one space."""

    @property
    def fingerprint(self) -> str: ...

    def see(self, images: Sequence[Image]) -> Features:
        """Unit features (N, D) of images."""

    def read(self, concepts: Sequence[Concept]) -> Features:
        """Unit features (N, D) of what concepts are called."""


def load_clip_by_name(name: str) -> Clip:
    """`mini/prototype` or a folder with an embedded CLIP; `MODEL:PRETRAINED` for open_clip, the latter a tag or a file.

    Raises:
        UserError: neither is there.
    """
    if ":" in name:
        return _OpenClip(name)
    return _Embedded(find_checkpoint(name, option="--clip").path)


class _Embedded:
    """Reads descriptions: the names of its world are invented and mean nothing to anybody."""

    def __init__(self, folder: Path) -> None:
        self.fingerprint = fingerprint(folder)
        self._clip = load_clip(folder)

    def see(self, images: Sequence[Image]) -> Features:
        fitted = [ImageOps.fit(image.convert("RGB"), (IMAGE_SIZE, IMAGE_SIZE)) for image in images]
        return image_features(self._clip, np.stack([np.asarray(image) for image in fitted]))

    @torch.inference_mode()
    def read(self, concepts: Sequence[Concept]) -> Features:
        tokens = read_words([concept.description for concept in concepts])
        return self._clip.encode_text(tokens, normalize=True).numpy()


class _OpenClip:
    """Reads class names in the usual sentence."""

    def __init__(self, name: str) -> None:
        import open_clip

        architecture, _, pretrained = name.partition(":")
        if architecture not in open_clip.list_models():
            raise UserError(f"--clip {name}: unknown model; {nearest(architecture, open_clip.list_models())}")
        tags = open_clip.list_pretrained_tags_by_model(architecture)
        if pretrained not in tags and not Path(pretrained).is_file():
            raise UserError(f"--clip {name}: neither a file nor pretrained weights; {nearest(pretrained, tags)}")
        made: Any = open_clip.create_model_and_transforms(architecture, pretrained=pretrained)
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._clip, self._transform = made[0].eval().to(self._device), made[2]
        self._tokenize = open_clip.get_tokenizer(architecture)
        size = Path(pretrained).stat().st_size if Path(pretrained).is_file() else ""
        self.fingerprint = f"{name}/{size}"

    @torch.inference_mode()
    def see(self, images: Sequence[Image]) -> Features:
        rows = []
        for start in range(0, len(images), _BATCH):
            pixels = torch.stack([self._transform(image.convert("RGB")) for image in images[start : start + _BATCH]])
            rows.append(self._clip.encode_image(pixels.to(self._device), normalize=True).float().cpu())
        return torch.cat(rows).numpy()

    @torch.inference_mode()
    def read(self, concepts: Sequence[Concept]) -> Features:
        tokens = self._tokenize([f"a photo of a {concept.name}." for concept in concepts])
        return self._clip.encode_text(tokens.to(self._device), normalize=True).float().cpu().numpy()
