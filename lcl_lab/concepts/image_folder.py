"""Reads `folder:PATH`: one folder of images per concept, with optional files `names.csv` and `pairs.csv`."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from pkgutil import resolve_name

from lcl_lab.concepts.dataset import DEFAULT_CLIP, Concept, Pair, comparable_name, name_problem
from lcl_lab.concepts.folder_contents import scan_folder, verify_contents, warn_once
from lcl_lab.concepts.image_files import ImageFiles
from lcl_lab.concepts.names_file import read_names
from lcl_lab.concepts.pairs_file import read_pairs
from lcl_lab.errors import UserError

__all__ = ["read_folder"]

_EXAMPLES = 3


def read_folder(path: Path, clip: str = DEFAULT_CLIP) -> ImageFiles:
    """Read a folder that has one folder of images per concept.

    A concept is named after its folder, with spaces for underscores, unless `names.csv` (columns ``concept`` and
    ``name``) gives it another name. Pairs are the rows of `pairs.csv` (columns ``positive`` and ``negative``, names of
    folders); without this file, concepts whose images are similar are paired.

    All images are decoded once. Files that are not read, identical images, and pairs that no file lists are logged in
    one line each.

    Args:
        path: the folder.
        clip: the CLIP that compares images in a folder without `pairs.csv`; see `load_clip_by_name`.

    Raises:
        UserError: there is no such folder, it has fewer than two concepts, a concept has no images that can be read,
            two concepts have the same name, a name cannot be part of a prompt, or `names.csv` or `pairs.csv` is wrong.
    """
    contents = scan_folder(path)
    option = contents.option
    concepts = _named(option, path / "names.csv", _concepts(contents.images))
    _check_names(option, concepts)
    table = path / "pairs.csv"
    pairs = read_pairs(option, table, concepts) if table.is_file() else []
    if not pairs and len(concepts) < 2:
        raise UserError(f"{path} contains one folder; episodes need at least two", option="data", value=option)
    verify_contents(contents)  # after the tables, because it takes longer
    files = {id: tuple(images) for id, images in contents.images.items()}
    concepts = {id: replace(concept, images=len(files[id])) for id, concept in concepts.items()}
    dataset = ImageFiles(option, concepts, files, pairs)
    if not pairs:
        dataset = replace(dataset, pairs=_find_pairs(dataset, clip))
        _report_pairs(dataset, clip)
    return dataset


def _concepts(ids: Iterable[str]) -> dict[str, Concept]:
    """Concepts without images. macOS decomposes the accents of folder names, which would be other tokens."""
    return {id: Concept(id, unicodedata.normalize("NFC", " ".join(id.replace("_", " ").split())), "", 0) for id in ids}


def _named(option: str, table: Path, concepts: Mapping[str, Concept]) -> dict[str, Concept]:
    names = read_names(table, concepts, "data", option) if table.is_file() else {}
    return {id: replace(concept, name=names.get(id, concept.name)) for id, concept in concepts.items()}


def _check_names(option: str, concepts: Mapping[str, Concept]) -> None:
    """Refuse names that break prompts, and names that no answer could distinguish."""
    ids: dict[str, str] = {}
    for id, concept in concepts.items():
        if problem := name_problem(concept.name):
            reason = f"the name of the folder {id!r} {problem}; rename it, or name the concept in names.csv"
            raise UserError(reason, option="data", value=option)
        first = ids.setdefault(comparable_name(concept.name), id)
        if first != id:
            folders = f"the folders {_shown(first)} and {_shown(id)}"
            reason = f"{folders} give two concepts the same name, {concept.name!r}; rename one, or use names.csv"
            raise UserError(reason, option="data", value=option)


def _shown(id: str) -> str:
    """Folders that differ in Unicode forms only would look the same."""
    return repr(id) if unicodedata.is_normalized("NFC", id) else ascii(id)


def _find_pairs(dataset: ImageFiles, clip: str) -> list[Pair]:
    """Pairs by similarity. CLIPs belong to a later layer, which is loaded only for a folder that needs one."""
    find: Callable[[ImageFiles, str], list[Pair]] = resolve_name("lcl_lab.models.look_alikes:find_look_alikes")
    return find(dataset, clip)


def _report_pairs(dataset: ImageFiles, clip: str) -> None:
    names = {id: concept.name for id, concept in dataset.concepts.items()}
    shown = [f"{names[pair.positive]} ~ {names[pair.negative]}" for pair in dataset.pairs[:_EXAMPLES]]
    more = len(dataset.pairs) - len(shown)
    line = ", ".join([*shown, *([f"and {more} more"] if more else [])])
    paired = {id for pair in dataset.pairs for id in pair}
    line += "".join(f"; {names[id]} has no look-alike and is left out" for id in names.keys() - paired)
    warn_once(f"{dataset.name}: no pairs.csv; look-alikes by image similarity ({clip}): {line}")
