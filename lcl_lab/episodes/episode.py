"""An episode: a support, whose labelled images show what two or more names mean, and a query to name."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from io import BytesIO
from typing import TYPE_CHECKING

from lcl_lab import episodes
from lcl_lab.concepts import ImageRef

if TYPE_CHECKING:
    from lcl_lab.concepts import Dataset

__all__ = ["NONE_OF_THESE", "Episode", "Example"]

NONE_OF_THESE = "none of these"
"""The name of a query whose concept is not in the support, and the candidate that says so; see `open_set`."""


@dataclass(frozen=True)
class Example:
    """One image of a support with its label.

    Attributes:
        image: the image.
        label: the name that the prompt shows.
        true_label: the name of the image's concept.
    """

    image: ImageRef
    label: str
    true_label: str

    @property
    def false(self) -> bool:
        """Whether the label is false."""
        return self.label != self.true_label


@dataclass(frozen=True)
class Episode:
    """An n-way episode, 2-way by default. In a notebook it displays as its images and labels.

    Attributes:
        data: the name of the dataset.
        seed: the study seed.
        query_id: the number of the query in the study.
        support_id: the number of the support; queries that share a support have the same.
        pair: the two concepts of the pair, which are the cluster for statistics for any number of ways.
        support: K examples in the order shown, K/n of each concept (paper section 3.1).
        query: the image to name.
        true_name: the correct answer.
        other_name: the name of the other concept of the pair.
        dataset: where the images come from; not part of the episode's identity.
        final_question: the question about the query, where it is not that about the support.
        further_names: the other wrong candidates, where there are more than two names.
    """

    data: str
    seed: int
    query_id: int
    support_id: int
    pair: str
    support: tuple[Example, ...]
    query: ImageRef
    true_name: str
    other_name: str
    dataset: Dataset | None = field(default=None, repr=False, compare=False)
    final_question: str = ""
    further_names: tuple[str, ...] = ()

    @property
    def other_names(self) -> tuple[str, ...]:
        """All names but the true one."""
        return (self.other_name, *self.further_names)

    @property
    def names(self) -> tuple[str, ...]:
        """All names that are candidates, the true one first."""
        return (self.true_name, *self.other_names)

    @property
    def concept_names(self) -> tuple[str, ...]:
        """The names of the n concepts in the support: all candidates but ``"none of these"``."""
        return tuple(name for name in self.names if name != NONE_OF_THESE)

    @cached_property
    def id(self) -> str:
        """16 hex digits that are the same for equal episodes, on every machine; stored in records."""
        content = (self.data, self.pair, self.support, self.query, *self.names)
        return blake2b(repr(content).encode(), digest_size=8).hexdigest()

    def __str__(self) -> str:
        lines = [f"episode {self.id}: {self.data}, seed {self.seed}, query {self.query_id}, {len(self.support)} shots"]
        for example in self.support:
            mark = f"   (false: it is {example.true_label})" if example.false else ""
            lines.append(f"  user       [{example.image}] What is in the image?")
            lines.append(f"  assistant  {example.label}{mark}")
        lines.append(f"  user       [{self.query}] {self.final_question or 'What is in the image?'}")
        lines.append(f"  assistant  …   (true: {self.true_name}, other: {', '.join(self.other_names)})")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """The episode for notebooks; see `episode_html`."""
        return episodes.episode_html(self)

    def _repr_png_(self) -> bytes | None:
        """The episode as a picture, for viewers without HTML; see `episode_image`."""
        if self.dataset is None:
            return None
        png = BytesIO()
        episodes.episode_image(self).save(png, "PNG")
        return png.getvalue()
