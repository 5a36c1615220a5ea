"""A dataset with other names for its concepts: invented ones, or those of a file.

Link-context learning needs names that a model cannot know, which images of familiar things do not have.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lcl_lab.concepts.dataset_wrapper import DatasetWrapper
from lcl_lab.concepts.names import SHORTEST_NAME, invent_names
from lcl_lab.concepts.names_file import read_names
from lcl_lab.errors import UserError, nearest

if TYPE_CHECKING:
    from PIL.Image import Image

    from lcl_lab.concepts.dataset import Concept, Dataset, ImageRef

__all__ = ["INVENTED", "USUAL", "RenamedDataset", "name_without_renaming", "rename_concepts"]

USUAL, INVENTED = "usual", "invented"
_STREAM = 6  # of the random generator; other streams draw episodes and perturbations
_SUFFIX = re.compile(r" \((?:invented names|names of .*)\)$")


def rename_concepts(dataset: Dataset, names: str | Path, seed: int = 0) -> Dataset:
    """Give the concepts of a dataset other names.

    Args:
        dataset: the dataset.
        names: ``"usual"`` returns the dataset as it is; ``"invented"`` gives every concept a word without meaning;
            otherwise a file as `read_names` reads it, in which concepts may be missing that keep their names.
        seed: the seed from which names are invented.

    Raises:
        UserError: the file does not exist or is wrong.
    """
    if names == USUAL:
        return dataset
    if names == INVENTED:
        words = {word for concept in dataset.concepts.values() for word in concept.name.lower().split()}
        taken = [word for word in words if len(word) >= SHORTEST_NAME]  # shorter ones could exclude every name
        rng = np.random.default_rng([seed, _STREAM])
        invented = invent_names(rng, len(dataset.concepts), taken)
        return RenamedDataset(dataset, dict(zip(dataset.concepts, invented, strict=True)), "invented names")
    table = Path(names)
    if not table.is_file():
        reason = f"neither a file nor a kind of names; {nearest(str(names), (USUAL, INVENTED))}"
        raise UserError(reason, option="names", value=names)
    return RenamedDataset(dataset, read_names(table, dataset.concepts, "names", names), f"names of {table.name}")


def name_without_renaming(name: str) -> str:
    """The name of the dataset whose images those of a dataset are, which may be a `RenamedDataset`."""
    return _SUFFIX.sub("", name)


class RenamedDataset(DatasetWrapper):
    """A `Dataset` with the images and pairs of another one, and with other names.

    Args:
        dataset: the other dataset.
        names: new names of concepts, by id; the others keep theirs.
        source: what the names are, which becomes part of the dataset's name.
    """

    def __init__(self, dataset: Dataset, names: Mapping[str, str], source: str) -> None:
        super().__init__(dataset)
        self._names, self._source = dict(names), source
        self._concepts = {
            id: replace(concept, name=names.get(id, concept.name)) for id, concept in dataset.concepts.items()
        }

    @property
    def name(self) -> str:
        """The name of the other dataset, and what the names are."""
        return f"{self._dataset.name} ({self._source})"

    @property
    def concepts(self) -> Mapping[str, Concept]:
        """All concepts by id, with their new names."""
        return self._concepts

    @property
    def fingerprint(self) -> str:
        """Covers the content of the other dataset, and the names."""
        content = f"{self._dataset.fingerprint}/{sorted(self._names.items())}"
        return blake2b(content.encode(), digest_size=8).hexdigest()

    def image(self, ref: ImageRef) -> Image:
        """The image in RGB; see `Dataset.image`."""
        return self._dataset.image(ref._replace(data=self._dataset.name))

    def __repr__(self) -> str:
        return f"{self._dataset!r} with {self._source}"
