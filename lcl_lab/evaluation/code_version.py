"""The version of the code that computes records."""

from __future__ import annotations

from lcl_lab.source_code import version_digest

__all__ = ["scoring_code"]

_SCORING = ("concepts", "episodes", "prompts", "models", "evaluation")


def scoring_code() -> str:
    """A digest of the code that records depend on, in the package and in the libraries that models run on.

    Studies are not part of it; their designs count by their content.
    """
    return version_digest(*(f"{folder}/**/*.py" for folder in _SCORING))
