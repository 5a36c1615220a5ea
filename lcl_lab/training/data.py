"""Loads what a strategy draws from, and the features of its images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from lcl_lab.concepts import Box, Dataset, ImageRef, World, load_dataset, render, render_with_box
from lcl_lab.concepts.neighbours_file import neighbour_indices
from lcl_lab.models.clip_registry import load_clip_by_name
from lcl_lab.strategies import CORPUS, BaseTasks, LinkEpisodes, OriginalTasks, Strategy, TrainingData
from lcl_lab.training.corpus import Corpus, plan_corpus, render_all
from lcl_lab.training.feature_bank import FeatureBank
from lcl_lab.training.frozen_vision import FrozenVision
from lcl_lab.training.instruction_rows import TASK_IMAGES
from lcl_lab.training.instruction_tasks import InstructionTasks
from lcl_lab.training.neighbour_mining import mine_neighbours
from lcl_lab.training.tensor_cache import cached, digest

__all__ = ["DataConfig", "LoadedData", "load_training_data"]

_MINED = 8  # images per concept that the mining model encodes


@dataclass(frozen=True)
class DataConfig:
    """Where training prompts and images come from.

    Attributes:
        dataset: the concepts of training episodes.
        neighbours: a file of hard negatives; None mines them with `clip`.
        clip: name of the mining model.
        images: images per concept.
        groups: groups of look-alikes in the corpus of the original tasks.
        known_images: images of each known object in that corpus.
        ways: concepts in the support of an episode.
        tasks: the original tasks; None for those of the embedded model, about the images of the corpus.
    """

    dataset: Dataset
    neighbours: Path | None = None
    clip: str = "mini/prototype"
    images: int = 32
    groups: int = 5000
    known_images: int = 256
    ways: int = 2
    tasks: InstructionTasks | None = None


@dataclass(frozen=True)
class LoadedData:
    """What training needs of its data.

    Attributes:
        prompts: what the strategy draws from.
        image: opens an image that prompts refer to.
        features: the features of all these images; None without a frozen vision encoder to compute them.
        means: the mean features (I, D_vision) of each concept of an embedded world, by its image 0; else empty.
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
        precompute: encode all images of an embedded world now, or take them from the cache. Other images are encoded
            when first needed, and their concepts have no means.

    Raises:
        UserError: a concept has too few neighbours for the number of ways.
    """
    dataset = config.dataset
    draws_corpus = strategy.needs_tasks and config.tasks is None
    corpus = plan_corpus(0, config.groups, config.known_images) if draws_corpus else Corpus((), (), ())

    def open_image(ref: ImageRef) -> Image.Image:
        if ref.data == CORPUS:
            return Image.fromarray(render(corpus.appearances[ref.number], corpus.numbers[ref.number]))
        if ref.data == TASK_IMAGES and config.tasks is not None:
            return config.tasks.image(ref)
        return (dataset if ref.data == dataset.name else load_dataset(ref.data)).image(ref)

    bank = FeatureBank(vision, open_image) if vision else None
    boxes: Sequence[Box] = _LazyBoxes(corpus)
    means: Mapping[ImageRef, Tensor] = {}
    if bank and precompute and draws_corpus:
        boxes = _encode_corpus(corpus, bank, workers)
    if bank and precompute and strategy.needs_links and isinstance(dataset, World):
        means = _encode_world(dataset, config.images, bank, workers)
    tasks: OriginalTasks | None = config.tasks
    if draws_corpus:
        tasks = BaseTasks(corpus.appearances, boxes, corpus.names)
    links = LinkEpisodes(dataset, _neighbours(config), config.images, config.ways) if strategy.needs_links else None
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


def _encode_world(world: World, images: int, bank: FeatureBank, workers: int) -> Mapping[ImageRef, Tensor]:
    """Add the features of a world's images to a bank; the mean features of its concepts."""
    images = min(images, *(concept.images for concept in world.concepts.values()))  # no episode shows others
    refs = [ImageRef(world.name, concept, number) for concept in world.concepts for number in range(images)]
    rendered = [(world.appearances[ref.concept], ref.number) for ref in refs]

    def encode() -> dict[str, Tensor]:
        return {"features": bank.vision.encode_all(render_all(rendered, workers)[0])}

    features = cached("world", digest(bank.vision.fingerprint, rendered), encode)["features"].float()
    bank.add(dict(zip(refs, features, strict=True)))
    means = features.unflatten(0, (-1, images)).mean(1)
    return {ImageRef(world.name, concept, 0): mean for concept, mean in zip(world.concepts, means, strict=True)}
