"""Real files of the paper's release; skipped where they are not next to the checkout."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chisquare

from lcl_lab.concepts import Concept, ImageRef, Pair, load_dataset
from lcl_lab.concepts.neighbours_file import neighbour_indices, read_neighbours
from lcl_lab.episodes import draw_episode
from lcl_lab.strategies import LinkEpisodes
from lcl_lab.studies import run_study

DATA = Path(__file__).parents[2].parent / "shared" / "data"
IMAGES, CLASSES = DATA / "isekai_demo", DATA / "train900_pairs.jsonl"


class ImageNet900:
    """The classes of the file, without their images."""

    name, fingerprint = "imagenet-900", "1"

    def __init__(self) -> None:
        lines = read_neighbours(CLASSES)
        self.concepts = {one.id: Concept(one.id, one.name, "", len(one.samples)) for one in lines}
        self.pairs = [Pair(one.id, one.neighbours[0][0]) for one in lines]

    def image(self, ref: ImageRef) -> None:
        raise AssertionError("no image is needed to draw an episode")


@pytest.mark.skipif(not IMAGES.is_dir(), reason=f"no {IMAGES.name}")
def test_images_of_isekai_are_evaluated(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for name in ("airstone", "stone"):  # the only pair with two images of each concept
        shutil.copytree(IMAGES / name, photos / name)
    dataset = load_dataset(f"folder:{photos}")
    episode = draw_episode(dataset, 0, 0, 2)
    assert dataset.image(episode.query).size == (336, 336)
    assert {example.label for example in episode.support} == {episode.true_name, episode.other_name}
    result = run_study(
        "false_ratio", preset="tiny", data=f"folder:{photos}", shots=2, model="mini/2-way", results=tmp_path / "results"
    )
    assert len(result.records) == 2 * 3 * 12  # models, ratios, queries
    assert list(result.records["correct_open"]) == list(result.records["correct_strict"])  # real names


@pytest.mark.skipif(not CLASSES.is_file(), reason=f"no {CLASSES.name}")
def test_training_episodes_are_drawn_from_the_classes_of_imagenet() -> None:
    dataset = ImageNet900()
    neighbours = neighbour_indices(CLASSES, dataset)  # type: ignore[arg-type]
    assert neighbours.shape == (900, 36)
    ids = list(dataset.concepts)
    assert [ids[index] for index in neighbours[0]] == [id for id, _, _ in read_neighbours(CLASSES)[0].neighbours]
    links, rng = LinkEpisodes(dataset, neighbours, 32), np.random.default_rng(0)  # type: ignore[arg-type]
    ranks: Counter[int] = Counter()
    for _ in range(20_000):
        prompt = links.draw(rng, 2)
        labels = [str(turn.parts[0]) for turn in prompt.turns if turn.role == "assistant"]
        shown = {ids.index(ref.concept): label for ref, label in zip(prompt.images, labels, strict=False)}
        (negative,) = (index for index, label in shown.items() if label == dataset.concepts[ids[index]].name)
        (positive,) = shown.keys() - {negative}
        ranks[int(np.flatnonzero(neighbours[positive] == negative)[0])] += 1
    weights = np.arange(36, 0, -1) / sum(range(1, 37))
    assert chisquare([ranks[rank] for rank in range(36)], weights * ranks.total()).pvalue > 1e-3
