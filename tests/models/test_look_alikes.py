from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from lcl_lab.cache_dir import cache_folder
from lcl_lab.concepts import ImageRef, load_dataset
from lcl_lab.errors import UserError

WORLD = load_dataset("world-100")
SHOWN = list(WORLD.concepts)[:12:2]  # the first of each pair


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache folder."""
    monkeypatch.setenv("LCL_LAB_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six rendered concepts, each in two folders with different images, which do not follow each other."""
    for half in (0, 1):
        for id in SHOWN:
            for image in range(6):
                save(id, 6 * half + image, tmp_path / "photos" / f"{half} {id}" / f"{image}.png")
    return tmp_path / "photos"


def save(id: str, image: int, path: Path) -> None:
    """Write an image of a concept to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    WORLD.image(ImageRef(WORLD.name, id, image)).save(path)


def pairs_of(folder: Path, **options: str) -> list[str]:
    """The pairs of a folder."""
    return [str(pair) for pair in load_dataset(f"folder:{folder}", **options).pairs]


def test_look_alikes_are_found(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert pairs_of(folder) == [f"0 {id}~1 {id}" for id in SHOWN]
    (line,) = [line for line in caplog.messages if "no pairs.csv" in line]
    assert "(mini/prototype)" in line
    assert line.endswith("and 3 more")


def test_of_an_odd_number_one_is_left_out_and_named(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    shutil.rmtree(folder / f"1 {SHOWN[3]}")
    assert pairs_of(folder) == [f"0 {id}~1 {id}" for id in SHOWN if id != SHOWN[3]]
    assert f"0 {SHOWN[3]} has no look-alike and is left out" in caplog.text


def test_pairs_are_cached_by_content_and_a_damaged_cache_is_computed_again(folder: Path) -> None:
    expected = pairs_of(folder)
    (file,) = (cache_folder() / "look_alikes").iterdir()
    first, second = json.loads(file.read_text())["pairs"][:2]
    exchanged = [[first[0], second[0]], [first[1], second[1]]]
    file.write_text(json.dumps({"pairs": exchanged + json.loads(file.read_text())["pairs"][2:]}))
    assert pairs_of(folder) != expected, "the cache is used"
    for damaged in ("", "[]", '{"pairs": 1}', '{"pairs": [["a", "b"]]}', '{"pairs": [[[], {}]]}'):
        file.write_text(damaged)
        assert pairs_of(folder) == expected
    save(SHOWN[0], 20, folder / f"0 {SHOWN[0]}" / "6.png")
    pairs_of(folder)
    assert len(list((cache_folder() / "look_alikes").iterdir())) == 2


def test_any_model_of_open_clip_can_pair(folder: Path, tiny_open_clip: Path) -> None:
    assert len(pairs_of(folder, clip=f"tiny-registry:{tiny_open_clip}")) == 6
    with pytest.raises(UserError, match="did you mean 'RN50'"):
        pairs_of(folder, clip="RN5O:openai")


def test_a_folder_with_pairs_needs_no_clip(folder: Path) -> None:
    first, second = sorted(path.name for path in folder.iterdir())[:2]
    (folder / "pairs.csv").write_text(f"positive,negative\n{first},{second}\n")
    assert len(pairs_of(folder, clip="no such CLIP")) == 1


def test_one_concept_cannot_be_paired(tmp_path: Path) -> None:
    save(SHOWN[0], 0, tmp_path / "one" / "0.png")
    with pytest.raises(UserError, match="contains one folder; episodes need at least two"):
        load_dataset(f"folder:{tmp_path}")
