"""A dataset that delegates to another one, as a base for those that change one thing about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from PIL.Image import Image

    from lcl_lab.concepts.dataset import Concept, Dataset, ImageRef, Pair

__all__ = ["DatasetWrapper"]


class DatasetWrapper:
    """A `Dataset` with the attributes and images of another one.

    Args:
        dataset: the other dataset.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    @property
    def name(self) -> str:
        """The name of the dataset."""
        return self._dataset.name

    @property
    def concepts(self) -> Mapping[str, Concept]:
        """All concepts by id."""
        return self._dataset.concepts

    @property
    def pairs(self) -> Sequence[Pair]:
        """Pairs of look-alikes."""
        return self._dataset.pairs

    @property
    def fingerprint(self) -> str:
        """A digest of the content."""
        return self._dataset.fingerprint

    def image(self, ref: ImageRef) -> Image:
        """The image in RGB; see `Dataset.image`."""
        return self._dataset.image(ref)

    def __getattr__(self, attribute: str) -> Any:
        """Everything else that the other dataset offers."""
        if attribute.startswith("_"):  # in particular while unpickling, before there is a dataset
            raise AttributeError(attribute)
        return getattr(self._dataset, attribute)

    def __repr__(self) -> str:
        return repr(self._dataset)
