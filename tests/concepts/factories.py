"""Small image files, and names that must be refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from lcl_lab.concepts import load_dataset
from lcl_lab.errors import UserError


def picture(path: Path, shade: int = 0) -> str:
    """Write a small gray image and return its file name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (30, 20), shade).save(path)
    return path.name


def refused(name: str, reason: str) -> None:
    """Check that a dataset cannot be loaded, for a reason."""
    with pytest.raises(UserError, match=reason):
        load_dataset(name)
