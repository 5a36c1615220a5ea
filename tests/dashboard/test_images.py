from __future__ import annotations

from pathlib import Path

import pytest

from lcl_lab.concepts import ImageRef
from lcl_lab.dashboard import images
from tests.concepts.factories import picture


def test_an_image_whose_file_is_removed_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCL_LAB_CACHE", str(tmp_path / "cache"))
    for shade, name in enumerate(("photos/cactus/0.png", "photos/hedgehog/0.png")):
        picture(tmp_path / name, shade)
    allowed = (f"folder:{tmp_path / 'photos'}",)
    assert images._image(ImageRef(allowed[0], "hedgehog", 0), allowed)
    (tmp_path / "photos" / "cactus" / "0.png").unlink()
    assert images._image(ImageRef(allowed[0], "cactus", 0), allowed) is None
