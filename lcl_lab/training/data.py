"""What the strategies draw from, and where the features of its images come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from lcl_lab.concepts import Box, Dataset, ImageRef, load_dataset, render, render_with_box
from lcl_lab.concepts.pairs_file import neighbour_rows
from lcl_lab.concepts.world import World
from lcl_lab.models.clip_registry import load_clip_by_name
from lcl_lab.strategies import CORPUS, BaseTasks, LinkEpisodes, Strategy, TrainingData
from lcl_lab.training.corpus import Corpus, plan_corpus, render_all
from lcl_lab.training.feature_bank import FeatureBank
from lcl_lab.training.frozen_vision import FrozenVision
from lcl_lab.training.mine_neighbours import mine_neighbours
from lcl_lab.training.tensor_cache import cached, digest

__all__ = ["Sources", "gather"]


@dataclass(frozen=True)
class Sources:
    """Where training images come from."""

    data: str = "world-900"
    neighbours: Path | None = None  # a file of hard negatives; without one they are mined with `clip`
    clip: str = "mini/prototype"
    images: int = 32  # of each class
    groups: int = 5000  # of look-alikes in the corpus of the original tasks
    known: int = 256  # images of each known thing in it


_MINED = 8  # images of a class that the CLIP looks at


def gather(
    strategy: Strategy, sources: Sources, tower: FrozenVision, workers: int, ahead: bool
) -> tuple[TrainingData, FeatureBank, Mapping[ImageRef, Tensor]]:
    """Everything that the strategy asks for: prompts, features, and the mean feature of each class of a world.

    With `ahead` the images of an embedded world are all looked at now, or were before. Others are looked at when
    they are first asked for, and their classes have no means. All of it depends on the sources alone, not on the
    training's seed.
    """
    concepts = load_dataset(sources.data)
    corpus = plan_corpus(0, sources.groups, sources.known) if strategy.needs_tasks else Corpus((), (), ())

    def open_image(ref: ImageRef) -> Image.Image:
        if ref.data == CORPUS:
            return Image.fromarray(render(corpus.looks[ref.number], corpus.numbers[ref.number]))
        return (concepts if ref.data == concepts.name else load_dataset(ref.data)).image(ref)

    bank = FeatureBank(tower, open_image)
    tasks, links = None, None
    means: Mapping[ImageRef, Tensor] = {}
    if strategy.needs_tasks:
        tasks = _tasks(corpus, bank, tower, workers, ahead)
    if strategy.needs_links:
        links = LinkEpisodes(concepts, _neighbours(sources, concepts), sources.images)
        if ahead and isinstance(concepts, World):
            means = _means(concepts, sources.images, bank, tower, workers)
    return TrainingData(links, tasks), bank, means


def _neighbours(sources: Sources, concepts: Dataset) -> NDArray[np.int64]:
    if sources.neighbours:
        return neighbour_rows(sources.neighbours, concepts)
    count = min(100, len(concepts.concepts) - 1)
    return mine_neighbours(concepts, load_clip_by_name(sources.clip), _MINED, count)


def _tasks(corpus: Corpus, bank: FeatureBank, tower: FrozenVision, workers: int, ahead: bool) -> BaseTasks:
    what = list(zip(corpus.looks, corpus.numbers, strict=True))
    if not ahead:
        return BaseTasks(corpus.looks, _Boxes(corpus), corpus.names)

    def see() -> dict[str, Tensor]:
        images, boxes = render_all(what, workers)
        return {"features": tower.look_all(images), "boxes": torch.tensor(boxes)}

    seen = cached("corpus", digest(tower.fingerprint, what), see)
    bank.keep({ImageRef(CORPUS, "", row): features.float() for row, features in enumerate(seen["features"])})
    return BaseTasks(corpus.looks, [tuple(box) for box in seen["boxes"].tolist()], corpus.names)


class _Boxes(Sequence[Box]):
    """The boxes of a corpus, each found when it is asked for."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus

    def __len__(self) -> int:
        return len(self._corpus.looks)

    def __getitem__(self, row: Any) -> Any:
        return render_with_box(self._corpus.looks[row], self._corpus.numbers[row])[1]


def _means(
    world: World, images: int, bank: FeatureBank, tower: FrozenVision, workers: int
) -> Mapping[ImageRef, Tensor]:
    refs = [ImageRef(world.name, concept, number) for concept in world.concepts for number in range(images)]
    what = [(world.looks[ref.concept], ref.number) for ref in refs]

    def see() -> dict[str, Tensor]:
        return {"features": tower.look_all(render_all(what, workers)[0])}

    features = cached("world", digest(tower.fingerprint, what), see)["features"].float()
    bank.keep(dict(zip(refs, features, strict=True)))
    by_class = features.unflatten(0, (-1, images)).mean(1)
    return {ImageRef(world.name, concept, 0): mean for concept, mean in zip(world.concepts, by_class, strict=True)}
