"""Loads a dataset by name, from files, or from a user's Python file; registers dataset objects."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

from lcl_lab import concepts
from lcl_lab.concepts.dataset import DEFAULT_CLIP, Dataset, check_dataset
from lcl_lab.concepts.dataset_wrapper import DatasetWrapper
from lcl_lab.errors import UserError
from lcl_lab.plugins import file_fingerprint, find_maker, is_file

__all__ = [
    "DATASETS",
    "DOWNLOADS",
    "KNOWN_THINGS",
    "READERS",
    "dataset_name",
    "load_dataset",
    "register_dataset",
    "registered_datasets",
]

DATASETS: dict[str, Callable[[], Dataset]] = {
    "world-100": lambda: concepts.world_100(),
    "world-900": lambda: concepts.world_900(),
    "world-dev": lambda: concepts.world_dev(),
    "isekai-mini": lambda: concepts.isekai_mini(),
    "emoji-100": lambda: concepts.shipped_drawings("emoji-100"),
    "glyphs-100": lambda: concepts.shipped_drawings("glyphs-100"),
}
"""The embedded datasets; functions, so that listing the names is cheap."""
KNOWN_THINGS = ("emoji-100", "glyphs-100")
"""Embedded datasets whose usual names models may know; studies give their concepts invented names by default."""
DOWNLOADS: dict[str, Callable[[], Dataset]] = {
    "isekai-10": lambda: concepts.read_isekai_from_hub("ISEKAI-10"),
    "isekai-pair": lambda: concepts.read_isekai_from_hub("ISEKAI-pair"),
}
"""Datasets that are downloaded from the Hugging Face hub."""
READERS: dict[str, Callable[[Path, str], Dataset]] = {
    "folder": lambda path, clip: concepts.read_folder(path, clip),
    "isekai": lambda path, _: concepts.read_isekai(path),
    "imagenet": lambda path, _: concepts.read_imagenet(path),
    "vl-icl": lambda path, _: concepts.read_vl_icl(path),
    "drawings": lambda path, _: concepts.read_drawings(path),
}
"""Readers of files, by the prefix of a name such as `folder:PATH`; they receive the path and the name of a CLIP."""
_registered: dict[str, Dataset] = {}


def load_dataset(name: str | Dataset, clip: str = DEFAULT_CLIP) -> Dataset:
    """Load a dataset.

    Args:
        name: one of

            - the name of an embedded, downloadable or registered dataset, such as ``world-100``;
            - ``folder:PATH``, ``isekai:FILE``, ``imagenet:FILE``, ``vl-icl:FOLDER`` or ``drawings:FILE``;
            - the path of a Python file with a function ``load()`` that returns a dataset;
            - a dataset object, which is returned as it is.
        clip: the CLIP that pairs look-alikes in a folder without `pairs.csv`: ``mini/prototype``, or a model of
            open_clip such as ``ViT-B-32:laion2b_s34b_b79k``.

    Returns:
        The dataset. One from a Python file has a fingerprint that also covers the code: the file and the local
        modules that it imports.

    Raises:
        UserError: the name is unknown, files cannot be read, or the object is not a dataset.
    """
    if not isinstance(name, str):
        check_dataset(name)
        return name
    if name in _registered:
        return _registered[name]
    if name in DATASETS:
        return DATASETS[name]()
    kind, colon, path = name.partition(":")
    if colon and kind in READERS:
        dataset = READERS[kind](Path(path), clip)
    else:
        _check_prefix(name)
        also = [*DATASETS, *_registered, *(f"{reader}:PATH" for reader in READERS)]
        dataset = find_maker("data", "dataset", name, DOWNLOADS, also)()
    check_dataset(dataset, "data", name)
    return _DatasetOfFile(dataset, file_fingerprint(name)) if is_file(name) else dataset


def _check_prefix(name: str) -> None:
    """Refuse a path without the prefix that says how it is read."""
    path = Path(name)
    if name in DOWNLOADS or is_file(name):
        return
    if path.is_dir():
        prefix = "vl-icl" if (path / "query.json").is_file() else "folder"
        raise UserError(f"is a folder; did you mean '{prefix}:{name}'?", option="data", value=name)
    if path.is_file():
        prefix = {".jsonl": "imagenet", ".zip": "drawings"}.get(path.suffix, "isekai")
        raise UserError(f"is a file; did you mean '{prefix}:{name}'?", option="data", value=name)


def registered_datasets() -> dict[str, Dataset]:
    """The datasets that were registered in this process, by name."""
    return dict(_registered)


def register_dataset(dataset: Dataset, name: str | None = None) -> Dataset:
    """Make a dataset object available to `load_dataset`, and so to studies and training, under a name.

    The registration lasts as long as the process. A sweep that is started from it passes it on to its workers.
    Registering another dataset under the same name replaces the first one.

    Args:
        dataset: any object that satisfies the `Dataset` protocol.
        name: the name for `load_dataset`; the dataset's name by default.

    Returns:
        The dataset.

    Raises:
        UserError: an attribute is missing or wrong, or the name belongs to a built-in dataset.
    """
    check_dataset(dataset)
    key = dataset.name if name is None else name
    if not isinstance(key, str) or not key:
        raise UserError("must be a non-empty string", option="name", value=key)
    if key in DATASETS or key in DOWNLOADS:
        raise UserError("a built-in dataset has this name; choose another", option="name", value=key)
    if is_file(key) or key.partition(":")[0] in READERS:
        raise UserError("a name must not look like a path to a dataset", option="name", value=key)
    _registered[key] = dataset
    return dataset


def dataset_name(dataset: Dataset | str) -> str:
    """The name by which `load_dataset` finds a dataset; an object that is not built in is registered under its own.

    Raises:
        UserError: as `register_dataset`.
    """
    if isinstance(dataset, str):
        return dataset
    name = getattr(dataset, "name", None)
    if name in DATASETS and load_dataset(str(name)) is dataset:
        return str(name)
    return register_dataset(dataset).name


class _DatasetOfFile(DatasetWrapper):
    """A dataset made by a user's Python file, whose fingerprint also covers the code in the file."""

    def __init__(self, dataset: Dataset, code: str) -> None:
        super().__init__(dataset)
        self._code = code

    @property
    def fingerprint(self) -> str:
        return blake2b(f"{self._dataset.fingerprint}/{self._code}".encode(), digest_size=8).hexdigest()
