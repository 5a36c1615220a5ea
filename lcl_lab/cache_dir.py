"""The folder of cached files. They are reused between runs and may be deleted at any time."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path

__all__ = ["cache_folder"]


def cache_folder() -> Path:
    """The folder in the environment variable LCL_LAB_CACHE; by default the user's cache folder of the system."""
    if "LCL_LAB_CACHE" in os.environ:
        return Path(os.environ["LCL_LAB_CACHE"])
    return user_cache_path("lcl_lab")
