"""What a study asks: conditions, and under each a question a query, with how to judge and to file its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from PIL.Image import Image

from lcl_lab.concepts import Dataset, ImageRef
from lcl_lab.episodes import Episode, right_open
from lcl_lab.prompts import Prompt, chat
from lcl_lab.store import Shown

__all__ = ["Asked", "Condition", "Plan", "Value", "of_episodes"]

Value = int | float | str | None


@dataclass(frozen=True)
class Asked:
    """One question to a model. `grade` says how right an answer is, from 0 to 1; the rest is for its record."""

    prompt: Prompt
    grade: Callable[[str], float]
    data: str
    seed: int
    query_id: int
    support_id: int
    pair: str
    episode_id: str
    support: tuple[Shown, ...]
    query: str
    true_name: str
    other_name: str

    @classmethod
    def of(cls, episode: Episode) -> Self:
        """The question of an episode, graded by the paper's open-ended rule."""
        return cls(
            prompt=chat(episode),
            grade=lambda answer: float(right_open(answer, episode.true_name, episode.other_name)),
            data=episode.data,
            seed=episode.seed,
            query_id=episode.query_id,
            support_id=episode.support_id,
            pair=episode.pair,
            episode_id=episode.id,
            support=tuple(Shown(str(e.image), e.label, e.true_label, e.false) for e in episode.support),
            query=str(episode.query),
            true_name=episode.true_name,
            other_name=episode.other_name,
        )

    @property
    def question(self) -> str:
        """The text of the last turn."""
        return " ".join(part for part in self.prompt.turns[-1].parts if isinstance(part, str))


@dataclass(frozen=True)
class Condition:
    """One condition of a design: its columns in the records, how many queries it has, and what each asks.

    `models` are the only ones to be asked; None is all.
    """

    values: Mapping[str, Value]
    queries: int
    ask: Callable[[int], Asked]
    models: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Plan:
    """All that answers depend on beside the models: the conditions, what images are, and what both are made of."""

    conditions: Sequence[Condition]
    image: Callable[[ImageRef], Image]
    identity: Mapping[str, Any]
    queries_per_support: int = 1
    show: Episode | None = None  # to be pictured in the report


def of_episodes(
    concepts: Dataset,
    queries: int | Sequence[int],
    conditions: Sequence[tuple[Mapping[str, Value], Callable[[int], Episode]]],
    queries_per_support: int = 1,
    models: Sequence[tuple[str, ...] | None] | None = None,
    **identity: Any,
) -> Plan:
    """The plan of a study whose every question is an episode; the middle condition's first is pictured.

    `queries` and `models` are of all conditions, or of each; `identity` is what else the study's design is made of.
    """

    def asking(draw: Callable[[int], Episode]) -> Callable[[int], Asked]:
        return lambda query: Asked.of(draw(query))

    design = {
        **identity,
        "queries": queries,
        "queries_per_support": queries_per_support,
        "data": {"name": concepts.name, "fingerprint": concepts.fingerprint},
    }
    counts = [queries] * len(conditions) if isinstance(queries, int) else queries
    some = models or [None] * len(conditions)
    asked = zip(conditions, counts, some, strict=True)
    return Plan(
        [Condition(values, count, asking(draw), own) for (values, draw), count, own in asked],
        concepts.image,
        design,
        queries_per_support,
        conditions[len(conditions) // 2][1](0),
    )
