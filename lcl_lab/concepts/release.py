"""Reads the files of the paper's release: ISEKAI-10, ISEKAI-pair, and the concepts of ImageNet-100 and ImageNet-900.

All are JSON Lines, whatever their suffix. Image paths are relative to the folder of the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import huggingface_hub

from lcl_lab.atomic import parse_json
from lcl_lab.concepts.dataset import Concept, Pair, unique_pairs
from lcl_lab.concepts.image_files import ImageFiles
from lcl_lab.concepts.image_verification import require_images
from lcl_lab.errors import UserError

__all__ = [
    "HUB_DATASETS",
    "ISEKAI_FIELDS",
    "download_isekai",
    "parse_line",
    "read_imagenet",
    "read_isekai",
    "read_isekai_from_hub",
    "read_lines",
]

HUB_DATASETS = {"isekai-10": "ISEKAI-10", "isekai-pair": "ISEKAI-pair"}
"""Names on the Hugging Face hub."""
_HUB_ORGANISATION = "ISEKAI-Portal"
ISEKAI_FIELDS = ("image_name", "positive_list", "negative_list", "positive_promt", "negative_promt", "label_name")


def read_isekai(path: Path) -> ImageFiles:
    """Read `isekai:FILE`, either of ISEKAI-10 and ISEKAI-pair.

    A concept has all images that any line lists for it. Episodes are drawn from them as from any other dataset.

    Raises:
        UserError: there is no such file, a line has the wrong format, or an image is missing or cannot be read.
    """
    images: dict[str, dict[Path, None]] = {}
    pairs: list[Pair] = []
    for number, line in read_lines("isekai", path):
        fields = parse_line(path, number, line, ISEKAI_FIELDS)
        for key in ("positive_list", "negative_list"):
            _check_list(path, number, key, fields[key])
        positive, negative, label = (str(fields[key]) for key in ("positive_promt", "negative_promt", "label_name"))
        if label not in (positive, negative):
            raise _line_error(path, number, f"label_name {label!r} is neither {positive!r} nor {negative!r}")
        pairs.append(Pair(positive, negative))
        for name, listed in (
            (label, [fields["image_name"]]),
            (positive, fields["positive_list"]),
            (negative, fields["negative_list"]),
        ):
            images.setdefault(name, {}).update(dict.fromkeys(_files(path, listed)))
    files = {name: list(paths) for name, paths in images.items()}
    _require_images("isekai", path, files)
    concepts = {name: Concept(name, name, "", len(paths)) for name, paths in files.items()}
    return ImageFiles(f"isekai:{path}", concepts, files, unique_pairs(pairs))


def read_isekai_from_hub(name: str) -> ImageFiles:
    """Read ISEKAI-10 or ISEKAI-pair from the Hugging Face hub; see `read_isekai` and `download_isekai`."""
    return read_isekai(download_isekai(name))


def download_isekai(name: str) -> Path:
    """Download ISEKAI-10 or ISEKAI-pair once from the Hugging Face hub.

    Returns:
        The file; its images are next to it.

    Raises:
        UserError: the hub cannot be reached, or does not have the file.
    """
    try:
        folder = Path(huggingface_hub.snapshot_download(f"{_HUB_ORGANISATION}/{name}", repo_type="dataset"))
    except Exception as error:  # of the hub's client and of whichever HTTP library it uses
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"the hub cannot be reached: {reason}; download {_HUB_ORGANISATION}/{name} elsewhere and use "
            f"isekai:FOLDER/{name}.json",
            option="data",
            value=name.lower(),
        ) from error
    files = sorted(folder.rglob(f"{name}.json"))
    if not files:
        raise UserError(f"{folder} does not contain {name}.json", option="data", value=name.lower())
    return files[0]


def read_imagenet(path: Path) -> ImageFiles:
    """Read `imagenet:FILE`, one of the release's two files.

    In `test100_pairs.jsonl`, lines 2i and 2i + 1 are a pair, and supports come from `context_samples` only. In
    `train900_pairs.jsonl`, a concept and its nearest neighbour are a pair.

    Raises:
        UserError: there is no such file, a line has the wrong format, or an image is missing or cannot be read.
    """
    concepts: dict[str, Concept] = {}
    files: dict[str, list[Path]] = {}
    nearest_neighbour: dict[str, str] = {}
    for number, line in read_lines("imagenet", path):
        is_test = '"context_samples"' in line
        lists = ("context_samples", "test_samples") if is_test else ("samples", "neighbors")
        fields = parse_line(path, number, line, ("class_id", "class_name", *lists))
        for key in lists:
            _check_list(path, number, key, fields[key])
        id, name = str(fields["class_id"]), str(fields["class_name"])
        contexts = _files(path, fields["context_samples"]) if is_test else []
        files[id] = contexts + _files(path, fields["test_samples" if is_test else "samples"])
        concepts[id] = Concept(id, name, "", len(files[id]), len(contexts))
        if not is_test:
            nearest_neighbour[id] = str([*fields["neighbors"], [""]][0][0])
    if nearest_neighbour:
        pairs = unique_pairs(Pair(id, other) for id, other in nearest_neighbour.items() if other in concepts)
        if not pairs:
            raise UserError(f"{path}: no concept has its nearest neighbour in the file")
    else:
        pairs = _consecutive_pairs(path, list(concepts))
    _require_images("imagenet", path, files)
    return ImageFiles(f"imagenet:{path}", concepts, files, pairs)


def _consecutive_pairs(path: Path, ids: Sequence[str]) -> list[Pair]:
    if len(ids) % 2:
        raise _line_error(path, len(ids), f"concept {ids[-1]!r} has no other to pair with")
    return [Pair(ids[k], ids[k + 1]) for k in range(0, len(ids), 2)]


def read_lines(reader: str, path: Path) -> list[tuple[int, str]]:
    """The non-empty lines of a file with their numbers, from 1.

    Args:
        reader: prefix of the dataset's name, for error messages.
        path: the file.

    Raises:
        UserError: the file cannot be read or is empty.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(reason, option="data", value=f"{reader}:{path}") from error
    lines = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if not lines:
        raise UserError("the file is empty", option="data", value=f"{reader}:{path}")
    return lines


def parse_line(path: Path, number: int, line: str, names: Sequence[str]) -> Mapping[str, Any]:
    """The fields of a line.

    Raises:
        UserError: the line is not JSON, or a name is not among its fields.
    """
    try:
        fields = parse_json(line)
    except ValueError as error:
        raise _line_error(path, number, f"not JSON: {error}") from None
    for name in names:
        if not isinstance(fields, dict) or name not in fields:
            raise _line_error(path, number, f"has no field {name!r}")
    return fields


def _check_list(path: Path, number: int, name: str, value: object) -> None:
    kind = list if name == "neighbors" else str
    if not isinstance(value, list) or not all(isinstance(item, kind) and item for item in value):
        content = "[class, name, image]" if kind is list else "image paths"
        raise _line_error(path, number, f"{name} must be a list of {content}")


def _files(path: Path, names: Sequence[str]) -> list[Path]:
    return [path.parent / name for name in names]


def _require_images(reader: str, path: Path, files: Mapping[str, Sequence[Path]]) -> None:
    """All images, since an episode may show any of them; last, because it takes longest."""
    require_images([file for listed in files.values() for file in listed], path.parent, "data", f"{reader}:{path}")


def _line_error(path: Path, number: int, reason: str) -> UserError:
    return UserError(f"{path}, line {number}: {reason}")
