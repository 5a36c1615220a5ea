"""Decodes many image files once, to find those that cannot be read and those that show the same image."""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from lcl_lab.concepts.image_reader import UnreadableImageError, decode_image
from lcl_lab.per_file_cache import cached_results

__all__ = ["Verification", "verify_images"]

_MOST_THREADS = 8  # each holds a decoded image, which may have half a gigabyte


class Verification(NamedTuple):
    """What decoding a file has shown.

    Attributes:
        pixels: a digest of size and pixels, equal for files that show the same image; empty if it cannot be read.
        problem: why it cannot be read; empty if it can.
    """

    pixels: str
    problem: str


def verify_images(files: Sequence[Path]) -> list[Verification]:
    """Decode image files, in parallel. Those that could be read are not decoded again while they stay the same.

    Args:
        files: N paths.

    Returns:
        N verifications, in the order of `files`.

    Raises:
        UserError: a file does not exist any more.
    """
    problems: dict[str, str] = {}

    def pixels(path: str) -> str | None:
        try:
            image = decode_image(Path(path))
        except UnreadableImageError as error:
            problems[path] = str(error)
            return None
        return blake2b(repr(image.size).encode() + image.tobytes(), digest_size=8).hexdigest()

    threads = min(_MOST_THREADS, os.cpu_count() or 1)
    digests = cached_results(files, "verified_images", pixels, threads, "Verifying images")
    return [
        Verification(digest or "", problems.get(os.path.abspath(file), ""))
        for file, digest in zip(files, digests, strict=True)
    ]
