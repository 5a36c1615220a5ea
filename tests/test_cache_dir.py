from __future__ import annotations

from pathlib import Path

import pytest
from platformdirs import user_cache_path

from lcl_lab.cache_dir import cache_folder


def test_the_environment_decides_and_else_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCL_LAB_CACHE", "/some/folder")
    assert cache_folder() == Path("/some/folder")
    monkeypatch.setenv("LCL_LAB_CACHE", " ")
    assert cache_folder() == user_cache_path("lcl_lab")
    monkeypatch.delenv("LCL_LAB_CACHE")
    assert cache_folder() == user_cache_path("lcl_lab")
