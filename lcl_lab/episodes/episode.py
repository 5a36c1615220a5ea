"""An episode: a support that shows what names mean, and a query that must be named."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

from lcl_lab.concepts import ImageRef

__all__ = ["Episode", "Example"]


@dataclass(frozen=True)
class Example:
    """One support image with the name shown for it; the label is false where that is not its own."""

    image: ImageRef
    label: str
    true_label: str

    @property
    def false(self) -> bool:
        return self.label != self.true_label


@dataclass(frozen=True)
class Episode:
    """A 2-way episode as plain data.

    `support` holds K examples in the order shown, K/2 of each concept (paper section 3.1: C = 2
    prototypes); queries of the same `support_id` share it. `pair` names the two concepts and is the
    cluster for statistics.
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

    @cached_property
    def id(self) -> str:
        """The same for equal episodes, whoever drew them."""
        content = (self.data, self.pair, self.support, self.query, self.true_name, self.other_name)
        return blake2b(repr(content).encode(), digest_size=8).hexdigest()

    def __str__(self) -> str:
        lines = [f"episode {self.id}: {self.data}, seed {self.seed}, query {self.query_id}, {len(self.support)} shots"]
        for example in self.support:
            mark = f"   (false: it is {example.true_label})" if example.false else ""
            lines.append(f"  user       [{example.image}] What is in the image?")
            lines.append(f"  assistant  {example.label}{mark}")
        lines.append(f"  user       [{self.query}] What is in the image?")
        lines.append(f"  assistant  …   (true: {self.true_name}, other: {self.other_name})")
        return "\n".join(lines)
