from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL.Image import Image

from lcl_lab.concepts import Concept, load_dataset
from lcl_lab.concepts.hard_negatives import similarity
from lcl_lab.concepts.neighbours_file import neighbour_indices
from lcl_lab.errors import UserError
from lcl_lab.models.clip_registry import load_clip_by_name
from lcl_lab.neighbours import main
from lcl_lab.training.mine_neighbours import mine_neighbours

DEV = load_dataset("world-dev")


class Counting:
    """A CLIP that sees a number in the mean colour of an image, and counts what it is shown."""

    fingerprint = "counting"

    def __init__(self) -> None:
        self.seen = 0

    def encode_images(self, images: Sequence[Image]) -> np.ndarray:
        self.seen += len(images)
        colours = np.array([np.asarray(image).mean((0, 1)) for image in images], np.float32)
        return colours / np.linalg.norm(colours, axis=1, keepdims=True)

    def encode_concepts(self, concepts: Sequence[Concept]) -> np.ndarray:
        return np.eye(3, dtype=np.float32)[[len(concept.name) % 3 for concept in concepts]]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LCL_LAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_what_a_clip_saw_is_kept_by_content(cache: Path) -> None:
    clip = Counting()
    first = mine_neighbours(DEV, clip, images=3, count=10)
    assert clip.seen == 300
    assert np.array_equal(mine_neighbours(DEV, clip, images=3, count=10), first)
    mine_neighbours(DEV, clip, images=3, count=10, weights=(1, 0, 0))  # other weights look at nothing again
    assert clip.seen == 300
    (file,) = cache.iterdir()
    file.write_bytes(b"damaged")
    assert np.array_equal(mine_neighbours(DEV, clip, images=3, count=10), first)
    assert clip.seen == 600


def test_the_embedded_clip_finds_the_look_alike() -> None:
    near = mine_neighbours(DEV, load_clip_by_name("mini/prototype"), images=4, count=99)
    partner = np.arange(100) ^ 1
    ranks = [int(np.flatnonzero(near[row] == partner[row])[0]) for row in range(100)]
    assert np.median(ranks) < 10  # by chance 49


def test_the_command_writes_the_releases_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "pairs.jsonl"
    main(["--data", "world-dev", "--images", "2", "--count", "20", "--out", str(out)])
    assert capsys.readouterr().out.strip() == str(out)
    rows = neighbour_indices(out, DEV)
    assert rows.shape == (100, 20)
    assert all(len(set(row)) == 20 and own not in row for own, row in enumerate(rows.tolist()))
    with pytest.raises(UserError, match="is there already"):
        main(["--data", "world-dev", "--out", str(out)])


def test_any_clip_of_open_clip_can_mine_from_its_own_file(tmp_path: Path) -> None:
    import json

    import open_clip
    import torch

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
    from lcl_lab.concepts import ImageRef

    return [ImageRef("world-dev", "000", number) for number in range(2)]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--clip", "ViT-B-32x:openai"], "unknown model; did you mean 'ViT-B-32'"),
        (["--clip", "ViT-B-32:opnai"], "did you mean 'openai'"),
        (["--clip", "mini/prototyp"], "--clip mini/prototyp: unknown model.*did you mean 'mini/prototype'"),
        (["--data", "world-99"], "did you mean 'world-900'"),
        (["--count", "100"], "give 1 to 99"),
        (["--weights", "0", "0", "0"], "not all 0"),
    ],
)
def test_a_mistake_is_told(tmp_path: Path, words: list[str], told: str) -> None:
    data = [] if "--data" in words else ["--data", "world-dev"]
    with pytest.raises(UserError, match=told):
        main([*data, *words, "--out", str(tmp_path / "pairs.jsonl")])
    assert not (tmp_path / "pairs.jsonl").exists()


def test_weights_are_those_of_the_sum() -> None:
    rng = np.random.default_rng(0)
    images, texts = rng.standard_normal((5, 8)), rng.standard_normal((5, 8))
    i, t = (f / np.linalg.norm(f, axis=1, keepdims=True) for f in (images, texts))
    expected = 0.2 * i @ i.T + 0.3 * (i @ t.T + t @ i.T) / 2 + 0.5 * t @ t.T
    np.testing.assert_allclose(similarity(images, texts, (0.2, 0.3, 0.5)), expected)
