"""Decodes many image files once, to find those that cannot be read and those that show the same image."""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from lcl_lab.concepts.image_reader import UnreadableImageError, decode_image
from lcl_lab.errors import UserError
from lcl_lab.per_file_cache import cached_results

__all__ = ["Verification", "require_images", "verify_images"]

_EXAMPLES = 3
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


def require_images(files: Sequence[Path], root: Path, option: str, value: object) -> None:
    """Check that every one of many image files can be read; see `verify_images`.

    Args:
        files: N paths; repeated ones are read once.
        root: the folder that the paths of the error message are relative to.
        option: the option that names the dataset, for the error message.
        value: the value of the option.

    Raises:
        UserError: files are missing or cannot be read; one line counts them and names the first.
    """
    unique = list(dict.fromkeys(files))
    present = [file for file in unique if file.is_file()]
    verified = dict(zip(present, verify_images(present), strict=True))
    problems = {file: verified[file].problem if file in verified else "no such file" for file in unique}
    wrong = [f"{os.path.relpath(file, root)}: {problem}" for file, problem in problems.items() if problem]
    if wrong:
        more = f"; and {len(wrong) - _EXAMPLES} more" if len(wrong) > _EXAMPLES else ""
        reason = f"{len(wrong)} of {len(unique)} images in {root} are missing or cannot be read"
        raise UserError(f"{reason}: {'; '.join(wrong[:_EXAMPLES])}{more}", option=option, value=value)
