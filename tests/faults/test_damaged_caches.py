"""Every cache, damaged in every way, and cache folders that cannot be used: the same results, only slower."""

from __future__ import annotations

import errno
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diskcache import Cache
from PIL import Image

from lcl_lab import disk_cache
from lcl_lab.cache_dir import cache_folder
from lcl_lab.concepts import ImageRef
from lcl_lab.concepts.file_digests import digest_files
from lcl_lab.concepts.image_verification import verify_images
from lcl_lab.disk_cache import DiskCache
from lcl_lab.models import find_checkpoint, load_model
from lcl_lab.models.engine.feature_disk_cache import FeatureDiskCache
from lcl_lab.models.engine.vision_cache import EncodedImage
from lcl_lab.prompts import Prompt, Turn
from lcl_lab.training import tensor_cache
from tests.servers import serving

pytestmark = [pytest.mark.attack, pytest.mark.timeout(60)]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LCL_LAB_CACHE", str(tmp_path / "cache"))
    disk_cache._warn.cache_clear()
    return tmp_path / "cache"


# Each function uses one cache as a run does, and returns what the run would compute.


def features(_: Path) -> object:
    store = FeatureDiskCache("model", "cpu")
    expected = torch.arange(30_000.0)
    stored = store.get(["digest"])
    if not stored:
        store.put({"digest": vars(EncodedImage((1,), expected.clone()))})
    found = stored["digest"]["features"] if stored else expected
    return torch.equal(found, expected), found.shape


def tensors(_: Path) -> object:
    found = tensor_cache.cached(
        "kind", "key", lambda: {"x": torch.arange(3000.0), "y": torch.ones(2, dtype=torch.bfloat16)}
    )
    return sorted(found), float(found["x"].sum()), float(found["y"].sum())


def digests(folder: Path) -> object:
    return digest_files(images(folder))


def verified(folder: Path) -> object:
    return verify_images(images(folder))


def answers(_: Path) -> object:
    def reply(_: dict[str, Any]) -> dict[str, Any]:
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "wug"}}
        return {"id": "1", "object": "chat.completion", "created": 1, "model": "it", "choices": [choice]}

    with serving(reply) as address:
        # Twice, since every server has another address, which is part of the key of an answer.
        model = load_model(find_checkpoint("openai:it", base_url=address), 1)
        prompt = Prompt((Turn("user", (ImageRef("a", "b", 0), "What?")),), ("wug", "dax"))
        return [
            (answer.text, answer.status, answer.logliks)
            for _ in range(2)
            for answer in model.answer([prompt], lambda _: Image.new("RGB", (8, 8)))
        ]


def images(folder: Path) -> list[Path]:
    paths = [folder / f"{number}.png" for number in range(3)]
    for number, path in enumerate(paths):
        if not path.exists():
            Image.new("RGB", (8, 8), (number, 0, 0)).save(path)
            os.utime(path, (1000, 1000))
    return paths


USES: dict[str, Callable[[Path], object]] = {
    "features": features,
    "tensors": tensors,
    "digests": digests,
    "verified images": verified,
    "server answers": answers,
}


def flip(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :] if content else b"x"


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "truncated": lambda content: content[: len(content) // 2],
    "one byte less": lambda content: content[:-1],
    "one byte other": flip,
    "last bytes other": lambda content: content[:-4] + b"\0\0\0\0",
    "zeros": lambda content: bytes(len(content)),
    "text": lambda _: b"damaged",
    "nested JSON": lambda _: b"[" * 100_000,
    "JSON list": lambda _: b"[1]",
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("use", USES)
def test_damaged_files_of_a_cache_do_not_change_results(use: str, damage: str, cache: Path, tmp_path: Path) -> None:
    expected = USES[use](tmp_path)
    files = [file for file in cache.rglob("*") if file.is_file()]
    assert files
    for file in files:
        content = file.read_bytes()
        file.unlink()  # an open database keeps its own files
        file.write_bytes(DAMAGES[damage](content))
    assert USES[use](tmp_path) == expected
    assert USES[use](tmp_path) == expected


@pytest.mark.parametrize("use", USES)
def test_files_of_a_cache_that_are_something_else_do_not_change_results(use: str, cache: Path, tmp_path: Path) -> None:
    expected = USES[use](tmp_path)
    for file in [file for file in cache.rglob("*") if file.is_file()]:
        file.unlink()
        file.mkdir()
    assert USES[use](tmp_path) == expected


def make_file(place: Path) -> Path:
    place.write_text("")
    return place


def make_loop(place: Path) -> Path:
    place.symlink_to(place)
    return place


FOLDERS: dict[str, Callable[[Path], object]] = {
    "a file": make_file,
    "below a file": lambda place: make_file(place) / "below",
    "a link to itself": make_loop,
    "a long name": lambda place: place / ("x" * 300),
    "a very long path": lambda place: str(place) + "/x" * 2500,
    "no file system for it": lambda _: "/proc/cache",
    "a device": lambda _: "/dev/null",
    "the root of no user": lambda _: "~nobody/cache",
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("folder", FOLDERS)
def test_a_cache_folder_that_cannot_be_used_does_not_matter(
    folder: str, use: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    expected = USES[use](tmp_path)
    monkeypatch.setenv("LCL_LAB_CACHE", str(FOLDERS[folder](tmp_path / "place")))
    with caplog.at_level(logging.WARNING):
        assert USES[use](tmp_path) == expected
    lines = [record.getMessage() for record in caplog.records if "results are not cached" in record.getMessage()]
    assert len(lines) <= 1
    assert all(len(line.splitlines()) == 1 for line in lines)


@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_name_of_the_cache_folder_stands_for_the_default(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCL_LAB_CACHE", value)
    assert cache_folder().name == "lcl_lab"


@pytest.mark.parametrize("use", USES)
def test_a_full_disk_does_not_matter(use: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = USES[use](tmp_path)
    shutil.rmtree(tmp_path / "cache")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Cache, "set", full)
    monkeypatch.setattr("lcl_lab.atomic.os.fsync", full)
    assert USES[use](tmp_path) == expected


def test_one_line_says_why_nothing_is_cached(
    cache: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.write_text("")
    for _ in range(2):
        DiskCache("features", 1 << 20).set("key", b"content")
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"results are not cached in {cache / 'features'}: ")


def test_an_entry_that_someone_else_wrote_is_not_used(cache: Path) -> None:
    store = DiskCache("features", 1 << 20)
    store.set("key", b"content")
    assert store.get("key") == b"content"
    for value in (b"content", "content", 5, {"a": 1}, b"", None):
        Cache(str(cache / "features")).set("key", value)
        assert store.get("key") is None
