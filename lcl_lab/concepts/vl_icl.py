"""Reads `vl-icl:FOLDER`: Open-Ended MiniImageNet, the task `open_mi` of VL-ICL Bench (Zong et al., 2024).

Each entry of its `query.json` has an image to name and a support of several concepts with invented names. All entries
use the same few names, but for other concepts: a name means something only within its entry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from lcl_lab.atomic import parse_json
from lcl_lab.concepts.dataset import Concept, Pair
from lcl_lab.concepts.image_files import ImageFiles
from lcl_lab.concepts.image_verification import require_images
from lcl_lab.errors import UserError

__all__ = ["read_vl_icl"]

_TASK, _QUERIES = "open_mi", "query.json"
_FIELDS = ("id", "image", "answer", "support")


class _Entry(NamedTuple):
    """One query of the file.

    Attributes:
        id: its id in the file.
        query: the image to name.
        support: the images of each concept by its name, the true one first.
    """

    id: str
    query: Path
    support: Mapping[str, Sequence[Path]]


def read_vl_icl(folder: Path) -> ImageFiles:
    """Read `vl-icl:FOLDER`, the folder `open_mi` of VL-ICL Bench with its archives unpacked.

    Every entry has its own concepts, with ids such as `open_mi_query_0001/dax`. The true one and the concept that
    follows it in the entry's support, cyclically, are a pair; the entry's other concepts come next in the dataset, so
    that they are the ones that n-way episodes add. Supports of the true concept come from the entry's support only, so
    that its query is always the entry's.

    Raises:
        UserError: there is no such folder or file, an entry has the wrong format, or an image is missing or cannot be
            read.
    """
    name = f"vl-icl:{folder}"
    concepts: dict[str, Concept] = {}
    files: dict[str, Sequence[Path]] = {}
    pairs: list[Pair] = []
    for entry in _read_entries(folder, name):
        ids = [f"{entry.id}/{label}" for label in entry.support]
        for id, (label, images) in zip(ids, entry.support.items(), strict=True):
            is_true = id == ids[0]
            files[id] = [*images, entry.query] if is_true else images
            concepts[id] = Concept(id, label, "", len(files[id]), len(images) if is_true else 0)
        pairs.append(Pair(ids[0], ids[1]))
    _check_unpacked(folder, name)
    require_images([file for images in files.values() for file in images], folder, "data", name)  # takes longest
    return ImageFiles(name, concepts, files, pairs)


def _read_entries(folder: Path, name: str) -> list[_Entry]:
    path = folder / _QUERIES
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        task = folder / _TASK
        hint = f"; did you mean 'vl-icl:{task}'?" if (task / _QUERIES).is_file() else ""
        raise UserError(f"{path} does not exist{hint}", option="data", value=name) from error
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}", option="data", value=name) from error
    except ValueError as error:  # also of the encoding
        raise UserError(f"{path} is not JSON: {error}", option="data", value=name) from error
    if not isinstance(content, list) or not content:
        raise UserError(f"{path} must be a non-empty list of queries", option="data", value=name)
    numbers: dict[str, int] = {}
    entries = []
    for number, fields in enumerate(content, start=1):
        entry = _read_entry(path, number, fields)
        first = numbers.setdefault(entry.id, number)
        if first != number:
            raise _entry_error(path, number, f"has the id {entry.id!r} of entry {first}")
        entries.append(entry)
    return entries


def _read_entry(path: Path, number: int, fields: object) -> _Entry:
    if not isinstance(fields, dict):
        raise _entry_error(path, number, f"must be an object with the fields {', '.join(_FIELDS)}")
    for field in _FIELDS:
        if field not in fields:
            reason = f"has no field {field!r}; of VL-ICL Bench, the task {_TASK} can be read"
            raise _entry_error(path, number, reason)
    id, answer, support = fields["id"], fields["answer"], fields["support"]
    if not isinstance(id, str) or not id:
        raise _entry_error(path, number, f"id must be a non-empty string, not {id!r}")
    images = _images(path, number, "image", fields["image"])
    if len(images) != 1:
        raise _entry_error(path, number, f"image must be a list of one path, not of {len(images)}")
    if not isinstance(support, dict) or len(support) < 2:
        raise _entry_error(path, number, "support must have the images of at least two names")
    if not isinstance(answer, str) or answer not in support:
        raise _entry_error(path, number, f"answer {answer!r} is not a name in support: {', '.join(support)}")
    labels = list(support)
    start = labels.index(answer)
    shown = {label: _support_images(path, number, label, support[label]) for label in labels[start:] + labels[:start]}
    if images[0] in shown[answer]:
        raise _entry_error(path, number, "image is also in support, whose label would give the answer away")
    return _Entry(id, images[0], shown)


def _support_images(path: Path, number: int, label: str, shown: object) -> list[Path]:
    field = f"support of {label!r}"
    if not isinstance(shown, dict) or "images" not in shown:
        raise _entry_error(path, number, f"{field} has no field 'images'")
    return _images(path, number, f"images in {field}", shown["images"])


def _images(path: Path, number: int, field: str, listed: object) -> list[Path]:
    """Image files without repetitions. The file's paths start with the name of its folder, which users may change."""
    if not isinstance(listed, list) or not listed or not all(isinstance(one, str) for one in listed):
        raise _entry_error(path, number, f"{field} must be a non-empty list of paths")
    for one in listed:
        if not one.startswith(f"{_TASK}/"):
            raise _entry_error(path, number, f"{field}: {one!r} does not start with {_TASK}/")
    return [path.parent / one.removeprefix(f"{_TASK}/") for one in dict.fromkeys(listed)]


def _check_unpacked(folder: Path, name: str) -> None:
    for part in ("query", "support"):
        if (folder / f"{part}.zip").is_file() and not (folder / part).is_dir():
            reason = f"{folder / part}.zip is not unpacked; run VL-ICL's unzip.sh"
            raise UserError(reason, option="data", value=name)


def _entry_error(path: Path, number: int, reason: str) -> UserError:
    return UserError(f"{path}, entry {number}: {reason}")
