"""Where files are kept that any later run may use, and that can be deleted at any time."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_folder"]


def cache_folder() -> Path:
    """LCL_LAB_CACHE, else the user's cache folder."""
    if "LCL_LAB_CACHE" in os.environ:
        return Path(os.environ["LCL_LAB_CACHE"])
    from platformdirs import user_cache_path

    return user_cache_path("lcl_lab")
