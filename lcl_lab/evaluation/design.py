"""What a study evaluates: conditions, and for each query under each condition an item to answer and to grade."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Self

import PIL.Image

from lcl_lab import concepts, episodes, models, prompts, store
from lcl_lab.concepts import ImageRef
from lcl_lab.episodes.replaced_images import CONTENT_FREE, content_free
from lcl_lab.errors import UserError
from lcl_lab.evaluation.stored_features import stored_features
from lcl_lab.type_checks import check_type

if TYPE_CHECKING:
    import pandas as pd
    from PIL.Image import Image

    from lcl_lab.concepts import Dataset
    from lcl_lab.episodes import Episode, OpenRule
    from lcl_lab.models import Model, SharedImages
    from lcl_lab.prompts import Prompt
    from lcl_lab.store import SupportExample

__all__ = ["Condition", "Design", "EvalItem", "Question", "Value", "episode_design"]

_SAMPLED = 16  # queries of a condition in the digest of a design
Value = int | float | str | None
"""A value of a condition column."""


@dataclass(frozen=True)
class Question:
    """A question that is not an episode, such as one of VQAv2, with the fields that records need.

    Attributes:
        data: the dataset that it belongs to.
        seed: the study seed.
        query_id: its number under a condition.
        pair: the cluster for statistics.
        id: the same for equal questions.
        query: what is asked about, as text; the name of an image where there is one.
        true_name: the correct answer.
        other_name: the wrong candidate; empty where there is none.
        support: the examples that the prompt shows.
    """

    data: str
    seed: int
    query_id: int
    pair: str
    id: str
    query: str
    true_name: str
    other_name: str = ""
    support: tuple[SupportExample, ...] = ()

    @property
    def support_id(self) -> int:
        """Every question has its own support."""
        return self.query_id

    @property
    def other_names(self) -> tuple[str, ...]:
        """The wrong candidate, as all those of an episode."""
        return (self.other_name,)


@dataclass(frozen=True)
class EvalItem:
    """One prompt for a model.

    Attributes:
        episode: the episode, or the question, that the prompt presents.
        prompt: the conversation, and the candidate answers, the true one first.
        grade: scores an answer's text from 0 to 1.
    """

    episode: Episode | Question
    prompt: Prompt
    grade: Callable[[str], float]

    @classmethod
    def from_episode(cls, episode: Episode) -> Self:
        """The item of an episode: presented as a chat, graded by the default rule of its dataset."""
        rule = episodes.default_rule(episode.dataset)

        def grade(text: str) -> float:
            return float(episodes.is_correct_open(text, episode.true_name, episode.other_names, rule))

        return cls(episode, prompts.chat(episode), grade)

    @property
    def question(self) -> str:
        """The text of the last turn."""
        return " ".join(part for part in self.prompt.turns[-1].parts if isinstance(part, str))

    def verdicts(self, text: str) -> dict[OpenRule, bool]:
        """Whether an answer to an episode is correct by each rule; empty for other questions."""
        if isinstance(self.episode, Question):
            return {}
        names = self.episode.true_name, self.episode.other_names
        return {rule: is_correct(text, *names) for rule, is_correct in episodes.RULES.items()}

    def content_free_prompts(self) -> dict[str, Prompt]:
        """The prompt of an episode with each image without content as the query, by its name; empty for questions."""
        if isinstance(self.episode, Question):
            return {}
        *support, query = self.prompt.turns

        def replaced(name: str) -> Prompt:
            parts = (content_free(part, name) if isinstance(part, ImageRef) else part for part in query.parts)
            return replace(self.prompt, turns=(*support, replace(query, parts=tuple(parts))))

        return {name: replaced(name) for name in CONTENT_FREE}

    def content(self) -> list[Any]:
        """What a model receives, and the grades of its names and of no answer, as JSON-like values."""
        turns = [[turn.role, [str(part) for part in turn.parts]] for turn in self.prompt.turns]
        answers = (self.episode.true_name, *self.episode.other_names, "")
        return [self.episode.id, turns, list(self.prompt.candidates), [self.grade(answer) for answer in answers]]


@dataclass(frozen=True)
class Condition:
    """One condition of a design.

    Attributes:
        values: its condition columns in the records.
        queries: the number of queries.
        item: maps a query id to its item; called again whenever the item is needed.
        models: the only models to evaluate under it; None means all.
        variant: returns what answers in place of a loaded model, such as the model without some attention heads; None
            for the model itself.

    Raises:
        UserError: a condition column has the name of another column of the records, or a value that they cannot store.
    """

    values: Mapping[str, Value]
    queries: int
    item: Callable[[int], EvalItem]
    models: tuple[str, ...] | None = None
    variant: Callable[[Model], Model] | None = None

    def __post_init__(self) -> None:
        try:
            store.check_condition(self.values)
        except ValueError as error:
            raise UserError(str(error), option="conditions") from None

    def includes(self, model: str) -> bool:
        """Whether a model of that name is evaluated under it."""
        return self.models is None or model in self.models

    def sample(self, most: int) -> list[EvalItem]:
        """The items of up to `most` queries, evenly spread, the first and the last among them."""
        if self.queries <= most:
            return [self.item(number) for number in range(self.queries)]
        return [self.item(number * (self.queries - 1) // (most - 1)) for number in range(most)]


@dataclass(frozen=True)
class Design:
    """Conditions × queries: everything that answers depend on except the models.

    Attributes:
        conditions: the conditions.
        image: returns the image of a reference in a prompt.
        identity: JSON-like values that describe the design; runs that agree in them can be shown together.
        queries_per_support: consecutive queries that share a support.
        example: an episode to picture in the report.
        open_rule: the rule that grades generated answers to episodes; None for the items' own grades.
        following: returns the design of a second stage from the records of this one, such as the confirmation of what
            was discovered; its records belong to the same run.
        calibrate: whether the candidates of episodes are also measured with images without content as the query.
    """

    conditions: Sequence[Condition]
    image: Callable[[ImageRef], Image]
    identity: Mapping[str, Any] = field(default_factory=dict)
    queries_per_support: int = 1
    example: Episode | None = None
    open_rule: OpenRule | None = None
    following: Callable[[pd.DataFrame], Design] | None = None
    calibrate: bool = False

    @cached_property
    def images(self) -> SharedImages:
        """The images of prompts, and those that replace them, for all models. A user's dataset may return anything."""

        def image(ref: ImageRef) -> Image:
            loaded = self.image(ref)
            check_type(loaded, PIL.Image.Image, "data", f"image() of {ref.data} must return one")
            return loaded

        return models.SharedImages(episodes.with_replacements(image), stored_features(self.image))

    def content_digest(self) -> str:
        """16 hex digits over what models receive and how answers are graded.

        Covers the condition columns, and the episode, prompt and grading of up to 16 queries of each condition. So an
        edited study or prompt format is another design, though all its options are the same.
        """
        digest = blake2b(digest_size=8)
        for condition in self.conditions:
            content = [dict(condition.values), condition.queries, condition.models]
            content += [item.content() for item in condition.sample(_SAMPLED)]
            digest.update(json.dumps(content, sort_keys=True, default=str).encode())
        return digest.hexdigest()


def episode_design(
    dataset: Dataset | str,
    queries: int | Sequence[int],
    conditions: Sequence[tuple[Mapping[str, Value], Callable[[int], Episode]]],
    queries_per_support: int = 1,
    models: Sequence[tuple[str, ...] | None] | None = None,
    **identity: Any,
) -> Design:
    """The design of a study in which every item is an episode of one dataset.

    Args:
        dataset: where images come from, or the name of a dataset.
        queries: the number of queries of every condition, or of each.
        conditions: the condition columns, and a function from query id to episode.
        queries_per_support: consecutive queries that share a support.
        models: for each condition the only models to evaluate; None means all.
        **identity: what else identifies the design, such as the number of shots.
    """
    dataset = concepts.load_dataset(dataset)
    counts = [queries] * len(conditions) if isinstance(queries, int) else queries
    restrictions = models or [None] * len(conditions)

    def items(draw: Callable[[int], Episode]) -> Callable[[int], EvalItem]:
        return lambda query_id: EvalItem.from_episode(draw(query_id))

    return Design(
        conditions=[
            Condition(values, count, items(draw), only)
            for (values, draw), count, only in zip(conditions, counts, restrictions, strict=True)
        ],
        image=dataset.image,
        identity={
            **identity,
            "queries": queries,
            "queries_per_support": queries_per_support,
            "data": concepts.dataset_identity(dataset),
        },
        queries_per_support=queries_per_support,
        example=conditions[len(conditions) // 2][1](0),
    )
