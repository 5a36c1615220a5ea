"""Finds the images of a folder of concepts, verifies them, and reports files that are not read."""

from __future__ import annotations

import logging
import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from lcl_lab.atomic import reporting_os_errors
from lcl_lab.concepts.image_reader import HEIF_PACKAGE, heif_is_readable
from lcl_lab.concepts.image_verification import verify_images
from lcl_lab.errors import UserError

__all__ = ["FolderContents", "scan_folder", "verify_contents", "warn_once"]

_log = logging.getLogger(__name__)

_SUFFIXES = set(".jpg .jpeg .jpe .jfif .png .webp .bmp .gif .tif .tiff .avif".split())
_HEIF_SUFFIXES = {".heic", ".heif"}
_NO_CONCEPTS = {"__MACOSX", "@eaDir"}  # folders that file archivers and file servers create
_EXAMPLES = 3


@dataclass
class FolderContents:
    """The files of a folder of concepts.

    Attributes:
        path: the folder.
        images: the image files of each concept, sorted, by the name of its folder.
        skipped: how many files of each concept are not read, by the reason.
        outside: the number of image files that are in no concept's folder.
        problems: files that cannot be read, with the reason.
    """

    path: Path
    images: dict[str, list[Path]] = field(default_factory=dict)
    skipped: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    outside: int = 0
    problems: dict[Path, str] = field(default_factory=dict)

    @property
    def option(self) -> str:
        """The name of the dataset."""
        return f"folder:{self.path}"

    def name_of(self, file: Path) -> str:
        """A file's path within the folder."""
        return file.relative_to(self.path).as_posix()


def scan_folder(path: Path) -> FolderContents:
    """Find the image files of a folder that has one folder per concept. Opens none.

    Args:
        path: the folder.

    Raises:
        UserError: the folder does not exist or cannot be listed, it has no folders, or one of them has no images.
    """
    contents = FolderContents(path)
    if not path.is_dir():
        raise UserError("no such folder", option="data", value=contents.option)
    with reporting_os_errors("read", path):
        for entry in sorted(path.iterdir()):
            if entry.name.startswith(".") or entry.name in _NO_CONCEPTS:
                continue
            if entry.is_dir():
                _scan_concept(contents, entry)
            elif entry.suffix.lower() in _SUFFIXES | _HEIF_SUFFIXES:
                contents.outside += 1
    if not contents.images:
        reason = f"{path} contains no folders; it needs one folder of images per concept"
        raise UserError(reason, option="data", value=contents.option)
    _check_images(contents)
    return contents


def verify_contents(contents: FolderContents) -> None:
    """Decode all images. Removes those that cannot be read, and reports in one line each what was skipped and repeated.

    Args:
        contents: the contents of a folder; changed in place.

    Raises:
        UserError: no image of a concept can be read.
    """
    files = [file for images in contents.images.values() for file in images]
    pixels: dict[Path, str] = {}
    for file, verification in zip(files, verify_images(files), strict=True):
        if verification.problem:
            contents.problems[file] = verification.problem
        else:
            pixels[file] = verification.pixels
    for id, images in contents.images.items():
        contents.skipped[id]["unreadable"] += sum(file not in pixels for file in images)
        contents.images[id] = [file for file in images if file in pixels]
    _check_images(contents)
    _report_skipped(contents)
    _report_repeated(contents, pixels)


def _scan_concept(contents: FolderContents, folder: Path) -> None:
    images, skipped = [], contents.skipped[folder.name]
    for file in sorted(folder.iterdir()):
        if file.is_dir():
            skipped["nested"] += sum(len(names) for _, _, names in os.walk(file))
        elif reason := _reason_to_skip(file):
            skipped[reason] += 1
        elif file.is_file():
            images.append(file)
        else:
            skipped["unreadable"] += 1
            contents.problems[file] = "a broken link" if file.is_symlink() else "not a regular file"
    contents.images[folder.name] = images


def _reason_to_skip(file: Path) -> str | None:
    suffix = file.suffix.lower()
    if file.name.startswith("."):
        return "hidden"
    if suffix in _SUFFIXES or (suffix in _HEIF_SUFFIXES and heif_is_readable()):
        return None
    if suffix in _HEIF_SUFFIXES:
        return f"HEIC (pip install {HEIF_PACKAGE})"
    return suffix[1:].upper() or "without a suffix"


def _check_images(contents: FolderContents) -> None:
    for id, images in contents.images.items():
        if not images:
            skipped = _counts(contents.skipped[id])
            reason = f"that can be read: {skipped}" if skipped else f"({', '.join(sorted(_SUFFIXES))})"
            reason += _problems(contents, contents.path / id)
            raise UserError(f"{contents.path / id} contains no images {reason}", option="data", value=contents.option)


def _report_skipped(contents: FolderContents) -> None:
    skipped = sum(contents.skipped.values(), Counter({"outside a concept's folder": contents.outside}))
    if counts := _counts(skipped):
        read = sum(map(len, contents.images.values()))
        total = read + skipped.total()
        warn_once(f"{contents.option}: {read} of {total} files read: {counts}{_problems(contents, contents.path)}")


def _report_repeated(contents: FolderContents, pixels: Mapping[Path, str]) -> None:
    groups: dict[str, list[Path]] = defaultdict(list)
    for file, digest in pixels.items():
        groups[digest].append(file)
    repeated = [files for files in groups.values() if len(files) > 1]
    repeated.sort(key=lambda files: len({file.parent for file in files}) == 1)  # wrong labels matter most
    if repeated:
        across = sum(len({file.parent for file in files}) > 1 for files in repeated)
        examples = _listed([" = ".join(map(contents.name_of, files[:_EXAMPLES])) for files in repeated])
        count = f"{len(repeated)} image{'s' if len(repeated) > 1 else ''}"
        warn_once(f"{contents.option}: {count} in more than one file, {across} in different concepts: {examples}")


def _counts(skipped: Counter[str]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in skipped.most_common() if count)


def _problems(contents: FolderContents, folder: Path) -> str:
    """The first files below a folder that cannot be read, as the end of a line."""
    problems = [
        f"{contents.name_of(file)}: {problem}"
        for file, problem in sorted(contents.problems.items())
        if file.is_relative_to(folder)
    ]
    return f"; {_listed(problems)}" if problems else ""


def _listed(items: Sequence[str]) -> str:
    more = len(items) - _EXAMPLES
    return "; ".join([*items[:_EXAMPLES], *([f"and {more} more"] if more > 0 else [])])


@cache
def warn_once(line: str) -> None:
    """Log a warning, the first time in a process: a study loads its dataset several times."""
    _log.warning("%s", line)
