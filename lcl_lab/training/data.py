"""Loads what a strategy draws from, and the features of its images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from lcl_lab.concepts import Box, Dataset, Drawings, ImageRef, Naming, World, render, render_with_box
from lcl_lab.concepts.neighbours_file import neighbour_indices
from lcl_lab.models.clip_registry import load_clip_by_name
from lcl_lab.progress import track
from lcl_lab.strategies import (
    CORPUS,
    BaseTasks,
    LinkEpisodes,
    NamingTasks,
    OriginalTasks,
    Strategy,
    TrainingData,
)
from lcl_lab.training.corpus import Corpus, plan_corpus, render_all
from lcl_lab.training.feature_bank import FeatureBank
from lcl_lab.training.frozen_vision import FrozenVision
from lcl_lab.training.instruction_rows import TASK_IMAGES
from lcl_lab.training.instruction_tasks import InstructionTasks
from lcl_lab.training.neighbour_mining import mine_neighbours
from lcl_lab.training.tensor_cache import cached, digest
from lcl_lab.worker_pool import map_in_processes

__all__ = ["DataConfig", "LoadedData", "load_training_data"]

_CHUNK = 64  # images that are drawn and encoded together
_MINED = 8  # images per concept that the mining model encodes


@dataclass(frozen=True)
class DataConfig:
    """Where training prompts and images come from.

    Attributes:
        dataset: the concepts of training episodes.
        held_out: the concepts of the episodes that show how far training is.
        neighbours: a file of hard negatives; None mines them with `clip`.
        clip: name of the mining model.
        images: images per concept.
        groups: groups of look-alikes in the corpus of the original tasks.
        known_images: images of each known object in that corpus.
        ways: concepts in the support of an episode.
        names: how positives are named, see `LinkEpisodes`.
        tasks: the original tasks; None for those of the embedded models, about the images of the corpus, or, of
            drawings, for their names.
    """

    dataset: Dataset
    held_out: Dataset
    neighbours: Path | None = None
    clip: str = "mini/prototype"
    images: int = 32
    groups: int = 5000
    known_images: int = 256
    ways: int = 2
    names: Naming = "letters"
    tasks: InstructionTasks | None = None


@dataclass(frozen=True)
class LoadedData:
    """What training needs of its data.

    Attributes:
        prompts: what the strategy draws from.
        image: opens an image that prompts refer to.
        features: the features of all these images; None without a frozen vision encoder to compute them.
        means: the mean features (I, D_vision) of each concept, by its image 0, if all were encoded in advance.
    """

    prompts: TrainingData
    image: Callable[[ImageRef], Image.Image]
    features: FeatureBank | None
    means: Mapping[ImageRef, Tensor]


def load_training_data(
    strategy: Strategy, config: DataConfig, vision: FrozenVision | None, workers: int, precompute: bool
) -> LoadedData:
    """Load what a strategy needs. It depends on `config` and `vision` only, not on the seed of the training.

    Args:
        strategy: declares what it needs.
        config: where prompts and images come from.
        vision: the frozen vision encoder of the model; None if images are encoded in every step.
        workers: processes that render images.
        precompute: encode all images of an embedded world or of drawings now, or take them from the cache. Other images
            are encoded when first needed, and their concepts have no means.

    Raises:
        UserError: a concept has too few neighbours for the number of ways.
    """
    dataset = config.dataset
    draws_names = strategy.needs_tasks and config.tasks is None and isinstance(dataset, Drawings)
    draws_corpus = strategy.needs_tasks and config.tasks is None and not draws_names
    corpus = plan_corpus(0, config.groups, config.known_images) if draws_corpus else Corpus((), (), ())

    def open_image(ref: ImageRef) -> Image.Image:
        if ref.data == CORPUS:
            return Image.fromarray(render(corpus.appearances[ref.number], corpus.numbers[ref.number]))
        if ref.data == TASK_IMAGES and config.tasks is not None:
            return config.tasks.image(ref)
        return (dataset if ref.data == dataset.name else config.held_out).image(ref)

    bank = FeatureBank(vision, open_image) if vision else None
    boxes: Sequence[Box] = _LazyBoxes(corpus)
    means: Mapping[ImageRef, Tensor] = {}
    if bank and precompute and draws_corpus:
        boxes = _encode_corpus(corpus, bank, workers)
    if bank and precompute and (strategy.needs_links or draws_names) and isinstance(dataset, World | Drawings):
        means = _encode_concepts(dataset, config.images, bank, workers)
    tasks: OriginalTasks | None = config.tasks
    if draws_corpus:
        tasks = BaseTasks(corpus.appearances, boxes, corpus.names)
    elif draws_names:
        tasks = NamingTasks(dataset, config.images)
    links = None
    if strategy.needs_links:
        links = LinkEpisodes(dataset, _neighbours(config), config.images, config.ways, config.names)
    return LoadedData(TrainingData(links, tasks), open_image, bank, means)


def _neighbours(config: DataConfig) -> NDArray[np.int64]:
    if config.neighbours:
        return neighbour_indices(config.neighbours, config.dataset)
    count = min(100, len(config.dataset.concepts) - 1)
    return mine_neighbours(config.dataset, load_clip_by_name(config.clip), _MINED, count)


def _encode_corpus(corpus: Corpus, bank: FeatureBank, workers: int) -> Sequence[Box]:
    """Add the features of all images of a corpus to a bank; their boxes."""

    def encode() -> dict[str, Tensor]:
        images, boxes = render_all(corpus.images, workers)
        return {"features": bank.vision.encode_all(images), "boxes": torch.tensor(boxes)}

    encoded = cached("corpus", digest(bank.vision.fingerprint, corpus.images), encode)
    bank.add({ImageRef(CORPUS, "", row): features.float() for row, features in enumerate(encoded["features"])})
    return [tuple(box) for box in encoded["boxes"].tolist()]


class _LazyBoxes(Sequence[Box]):
    """The boxes of a corpus, each computed when it is needed."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus

    def __len__(self) -> int:
        return len(self._corpus.appearances)

    def __getitem__(self, row: Any) -> Any:
        return render_with_box(self._corpus.appearances[row], self._corpus.numbers[row])[1]


def _encode_concepts(
    dataset: World | Drawings, images: int, bank: FeatureBank, workers: int
) -> Mapping[ImageRef, Tensor]:
    """Add the features of the images of concepts to a bank; the mean features of the concepts."""
    images = min(images, *(concept.images for concept in dataset.concepts.values()))  # no episode shows others
    refs = [ImageRef(dataset.name, concept, number) for concept in dataset.concepts for number in range(images)]
    encode = _encode_world if isinstance(dataset, World) else _encode_drawings
    features = encode(dataset, refs, bank.vision, workers)
    bank.add(dict(zip(refs, features, strict=True)))
    means = features.unflatten(0, (-1, images)).mean(1)
    return {ImageRef(dataset.name, concept, 0): mean for concept, mean in zip(dataset.concepts, means, strict=True)}


def _encode_world(world: Any, refs: Sequence[ImageRef], vision: FrozenVision, workers: int) -> Tensor:
    rendered = [(world.appearances[ref.concept], ref.number) for ref in refs]

    def encode() -> dict[str, Tensor]:
        return {"features": vision.encode_all(render_all(rendered, workers)[0])}

    return cached("world", digest(vision.fingerprint, rendered), encode)["features"].float()


def _encode_drawings(drawings: Any, refs: Sequence[ImageRef], vision: FrozenVision, workers: int) -> Tensor:
    chunks = [refs[start : start + _CHUNK] for start in range(0, len(refs), _CHUNK)]

    def encode() -> dict[str, Tensor]:
        with map_in_processes(_open_images, repeat(drawings, len(chunks)), chunks, workers=workers) as opened:
            encoded = [vision.encode(images).cpu().half() for images in track(opened, "encoding images", len(chunks))]
        return {"features": torch.cat(encoded)}

    return cached("drawings", digest(vision.fingerprint, drawings.fingerprint, len(refs)), encode)["features"].float()


def _open_images(drawings: Drawings, refs: Sequence[ImageRef]) -> list[Image.Image]:
    return [drawings.image(ref) for ref in refs]
