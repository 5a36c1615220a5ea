"""The folder of cached files. They are reused between runs and may be deleted at any time."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path

__all__ = ["cache_folder"]


def cache_folder() -> Path:
    """The folder in the environment variable LCL_LAB_CACHE; by default the user's cache folder of the system."""
    named = os.environ.get("LCL_LAB_CACHE", "").strip()
    return Path(named) if named else user_cache_path("lcl_lab")
