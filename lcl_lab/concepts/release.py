"""The files of the release: ISEKAI-10 and ISEKAI-pair, and the classes of ImageNet-100 and ImageNet-900.

One JSON object a line, whatever the ending says; image paths are relative to a folder of images.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lcl_lab.concepts.dataset import Concept, Pair
from lcl_lab.concepts.image_files import ImageFiles
from lcl_lab.errors import UserError

__all__ = ["read_imagenet", "read_isekai", "read_isekai_from_hub"]

_HUB = "ISEKAI-Portal"


def read_isekai(path: Path) -> ImageFiles:
    """`isekai:FILE`, either of the two files; images lie under the file's own folder.

    A class has the images that any line gives it. Episodes are drawn from them as from any set.

    Raises:
        UserError: no such file, a line that is none, or an image that is not there, with its line.
    """
    images: dict[str, dict[Path, None]] = {}
    pairs: dict[Pair, None] = {}
    for number, line in _lines(path):
        fields = _fields(
            path, number, line, "image_name positive_list negative_list positive_promt negative_promt label_name"
        )
        for key in ("positive_list", "negative_list"):
            _check_list(path, number, key, fields[key])
        positive, negative, label = (str(fields[key]) for key in ("positive_promt", "negative_promt", "label_name"))
        if label not in (positive, negative):
            raise UserError(f"{path}, line {number}: label_name {label!r} is neither {positive!r} nor {negative!r}")
        pairs[Pair(positive, negative)] = None
        given = [
            (label, [fields["image_name"]]),
            (positive, fields["positive_list"]),
            (negative, fields["negative_list"]),
        ]
        for name, some in given:
            found = _existing(path, number, some)
            images.setdefault(name, {}).update(dict.fromkeys(found))
    concepts = {name: Concept(name, name, "", len(files)) for name, files in images.items()}
    files = {name: list(some) for name, some in images.items()}
    return ImageFiles(f"isekai:{path}", concepts, files, list(pairs))


def read_isekai_from_hub(name: str) -> ImageFiles:
    """ISEKAI-10 or ISEKAI-pair from the Hugging Face hub, fetched once.

    Raises:
        UserError: the hub cannot be reached, or what it has is not in the release's form.
    """
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(f"{_HUB}/{name}", repo_type="dataset"))
    except Exception as error:  # of the hub's client and of whichever HTTP library it uses
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"--data {name.lower()}: the hub cannot be reached: {reason}; download {_HUB}/{name} elsewhere and give "
            f"--data isekai:FOLDER/{name}.json"
        ) from error
    found = sorted(folder.rglob(f"{name}.json"))
    if not found:
        raise UserError(f"--data {name.lower()}: {folder} holds no {name}.json")
    return read_isekai(found[0])


def read_imagenet(path: Path) -> ImageFiles:
    """`imagenet:FILE`: `test100_pairs.jsonl`, whose lines 2i and 2i + 1 are a pair and whose supports come from
    `context_samples` alone, or `train900_pairs.jsonl`, whose class and nearest neighbour are a pair. Images lie
    under the file's own folder.

    Raises:
        UserError: no such file, a line that is none, or an image that is not there, with its line.
    """
    concepts: dict[str, Concept] = {}
    files: dict[str, list[Path]] = {}
    near: dict[str, str] = {}
    for number, line in _lines(path):
        test = '"context_samples"' in line
        fields = _fields(
            path,
            number,
            line,
            "class_id class_name " + ("context_samples test_samples" if test else "samples neighbors"),
        )
        for key in ("context_samples", "test_samples") if test else ("samples", "neighbors"):
            _check_list(path, number, key, fields[key])
        id, name = str(fields["class_id"]), str(fields["class_name"])
        context = _existing(path, number, fields["context_samples"]) if test else []
        found = context + _existing(path, number, fields["test_samples" if test else "samples"])
        concepts[id], files[id] = Concept(id, name, "", len(found), len(context)), found
        if not test:
            near[id] = str([*fields["neighbors"], [""]][0][0])
    ids = list(concepts)
    if near:
        pairs = [Pair(id, other) for id, other in near.items() if other in concepts]
        if not pairs:
            raise UserError(f"{path}: no class has its nearest neighbour in the file")
    elif len(ids) % 2:
        raise UserError(f"{path}, line {len(ids)}: class {ids[-1]!r} has no other to pair with")
    else:
        pairs = [Pair(ids[k], ids[k + 1]) for k in range(0, len(ids), 2)]
    return ImageFiles(f"imagenet:{path}", concepts, files, pairs)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that are not empty, numbered from 1."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--data: {path}: {getattr(error, 'strerror', None) or error}") from error
    lines = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if not lines:
        raise UserError(f"--data: {path} is empty")
    yield from lines


def _fields(path: Path, number: int, line: str, names: str) -> Mapping[str, Any]:
    try:
        fields = json.loads(line)
    except ValueError as error:
        raise UserError(f"{path}, line {number}: not JSON: {error}") from None
    for name in names.split():
        if not isinstance(fields, dict) or name not in fields:
            raise UserError(f"{path}, line {number}: has no field {name!r}")
    return fields


def _check_list(path: Path, number: int, name: str, value: object) -> None:
    kind = list if name == "neighbors" else str
    if not isinstance(value, list) or not all(isinstance(one, kind) and one for one in value):
        what = "[class, name, image]" if kind is list else "image paths"
        raise UserError(f"{path}, line {number}: {name} must be a list of {what}")


def _existing(path: Path, number: int, names: Sequence[str]) -> list[Path]:
    found = [path.parent / name for name in names]
    for file in found:
        if not file.is_file():
            raise UserError(f"{path}, line {number}: no image {file}")
    return found
