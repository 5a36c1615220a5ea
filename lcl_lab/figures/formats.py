"""The formats of figures, by the suffix of a file; light to import, for the options of commands."""

from __future__ import annotations

from typing import Literal

__all__ = ["Format"]

Format = Literal["html", "png", "svg", "pdf", "json"]
