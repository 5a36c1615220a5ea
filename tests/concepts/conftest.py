"""A separate cache for every test, and a small folder of images."""

from __future__ import annotations

from pathlib import Path

import pytest

from .factories import picture


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("LCL_LAB_CACHE", str(folder))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four concepts with six images each."""
    for shade, name in enumerate(("cacti_hog", "cactus", "shoe_car", "car")):
        for number in range(6):
            picture(tmp_path / name / f"{number}.png", 10 * shade + number)
    return tmp_path
