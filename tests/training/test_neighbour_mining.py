from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL.Image import Image

from lcl_lab.concepts import Concept, ImageRef, load_dataset
from lcl_lab.concepts.hard_negatives import similarity
from lcl_lab.concepts.neighbours_file import neighbour_indices
from lcl_lab.errors import UserError
from lcl_lab.models.clip_registry import load_clip_by_name
from lcl_lab.training import MineConfig, mine_neighbours, write_neighbours

DEV = load_dataset("world-dev")


class Counting:
    """A CLIP whose image features are mean colours, which counts the images that it encodes."""

    fingerprint = "counting"

    def __init__(self) -> None:
        self.encoded = 0

    def encode_images(self, images: Sequence[Image]) -> np.ndarray:
        self.encoded += len(images)
        colours = np.array([np.asarray(image).mean((0, 1)) for image in images], np.float32)
        return colours / np.linalg.norm(colours, axis=1, keepdims=True)

    def encode_concepts(self, concepts: Sequence[Concept]) -> np.ndarray:
        return np.eye(3, dtype=np.float32)[[len(concept.name) % 3 for concept in concepts]]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LCL_LAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_features_are_cached_by_content(cache: Path) -> None:
    clip = Counting()
    first = mine_neighbours(DEV, clip, images=3, count=10)
    assert clip.encoded == 300
    assert np.array_equal(mine_neighbours(DEV, clip, images=3, count=10), first)
    mine_neighbours(DEV, clip, images=3, count=10, weights=(1, 0, 0))  # other weights encode nothing again
    assert clip.encoded == 300
    (file,) = cache.iterdir()
    file.write_bytes(b"damaged")
    assert np.array_equal(mine_neighbours(DEV, clip, images=3, count=10), first)
    assert clip.encoded == 600


def test_the_embedded_clip_ranks_look_alikes_first() -> None:
    near = mine_neighbours(DEV, load_clip_by_name("mini/prototype"), images=4, count=99)
    partner = np.arange(100) ^ 1
    ranks = [int(np.flatnonzero(near[row] == partner[row])[0]) for row in range(100)]
    assert np.median(ranks) < 10  # by chance 49


def test_the_file_has_the_format_of_the_release(tmp_path: Path) -> None:
    out = tmp_path / "pairs.jsonl"
    config = MineConfig(data="world-dev", images=2, count=20, out=out)
    assert write_neighbours(config) == out
    rows = neighbour_indices(out, DEV)
    assert rows.shape == (100, 20)
    assert all(len(set(row)) == 20 and self not in row for self, row in enumerate(rows.tolist()))
    with pytest.raises(UserError, match="exists already"):
        write_neighbours(config)


def test_a_weights_file_of_open_clip_can_mine(tmp_path: Path) -> None:
    vision = {"image_size": 32, "layers": 1, "width": 32, "patch_size": 16, "head_width": 16}
    text = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
    (tmp_path / "tiny-lcl.json").write_text(json.dumps({"embed_dim": 16, "vision_cfg": vision, "text_cfg": text}))
    open_clip.add_model_config(tmp_path / "tiny-lcl.json")
    torch.manual_seed(0)
    torch.save(open_clip.create_model("tiny-lcl").state_dict(), tmp_path / "tiny.pt")
    clip = load_clip_by_name(f"tiny-lcl:{tmp_path / 'tiny.pt'}")
    concepts = [DEV.concepts[id] for id in ("000", "001")]
    images = [DEV.image(ref) for ref in draw_images()]
    assert np.allclose(np.linalg.norm(clip.encode_images(images), axis=1), 1, atol=1e-5)
    assert clip.encode_concepts(concepts).shape == (2, 16)
    assert mine_neighbours(DEV, clip, images=1, count=5).shape == (100, 5)


def draw_images() -> list:
    return [ImageRef("world-dev", "000", number) for number in range(2)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clip": "ViT-B-32x:openai"}, "clip ViT-B-32x:openai: unknown model; did you mean 'ViT-B-32'"),
        ({"clip": "ViT-B-32:opnai"}, "did you mean 'openai'"),
        ({"clip": "mini/prototyp"}, "clip mini/prototyp: unknown model.*did you mean 'mini/prototype'"),
        ({"data": "world-99"}, "data world-99: .*did you mean 'world-900'"),
        ({"count": 100}, "count 100: .*choose 1 to 99"),
        ({"count": 0}, "count 0: must be at least 1"),
        ({"weights": (0, 0, 0)}, "weights 0.0 0.0 0.0: .*not all 0"),
        ({"weights": (1, 0)}, "weights"),
    ],
)
def test_a_mistake_is_reported_before_anything_is_written(tmp_path: Path, options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        write_neighbours(
            MineConfig.create(None, None, **{"data": "world-dev", "out": tmp_path / "pairs.jsonl", **options})
        )
    assert not (tmp_path / "pairs.jsonl").exists()


def test_similarity_is_the_weighted_sum() -> None:
    rng = np.random.default_rng(0)
    images, texts = rng.standard_normal((5, 8)), rng.standard_normal((5, 8))
    i, t = (f / np.linalg.norm(f, axis=1, keepdims=True) for f in (images, texts))
    expected = 0.2 * i @ i.T + 0.3 * (i @ t.T + t @ i.T) / 2 + 0.5 * t @ t.T
    np.testing.assert_allclose(similarity(images, texts, (0.2, 0.3, 0.5)), expected)
