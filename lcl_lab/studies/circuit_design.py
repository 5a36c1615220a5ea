"""The design of a study of attention heads: discovery on half of the concept pairs, confirmation on the other half."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from lcl_lab import episodes, evaluation, prompts
from lcl_lab.errors import UserError
from lcl_lab.models import interventions
from lcl_lab.studies.circuit_columns import (
    ABLATED,
    ATTENTION,
    INTACT,
    PATCHED,
    PLACES,
    RANDOM,
    RESIDUAL,
    SOURCE,
    TOP,
    UNPATCHED,
    margins,
)
from lcl_lab.studies.circuit_variants import CircuitVariants

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.concepts import Dataset
    from lcl_lab.episodes import Episode
    from lcl_lab.evaluation import Condition, Value
    from lcl_lab.models import Checkpoint, Model
    from lcl_lab.models.interventions import Head, Site

__all__ = ["CircuitDesign", "ranked_heads"]

_REFERENCE = 32  # episodes over which heads' outputs are averaged
_SEARCHED = 40  # times as many queries are searched for names of equally many tokens
_FEW = 16  # heads up to which every number of top heads is removed
_STEPS = 12  # numbers of top heads in models with more
_RANDOM = 5  # random stream; see `lcl_lab.episodes.drawing`


@dataclass(frozen=True)
class CircuitDesign:
    """The conditions of one model.

    Attributes:
        model: its name in records.
        checkpoint: the model.
        dataset: where episodes are drawn from.
        draw: returns the episode of a query.
        queries: number of queries.
        queries_per_support: queries that share a support.
        seed: the study seed.
        ablate_with_mean: whether a removed head's output is replaced by its mean instead of zeros.
        draws: random sets of heads for each number of top heads.
    """

    model: str
    checkpoint: Checkpoint
    dataset: Dataset
    draw: Callable[[int], Episode]
    queries: int
    queries_per_support: int
    seed: int
    ablate_with_mean: bool
    draws: int

    @cached_property
    def heads(self) -> list[Head]:
        """All heads of the model."""
        return interventions.heads_of_checkpoint(self.checkpoint)

    @cached_property
    def variants(self) -> CircuitVariants:
        """The variants of the model; heads' means are over episodes that no query is from."""
        first = _SEARCHED * self.queries
        reference = range(first, first + _REFERENCE) if self.ablate_with_mean else ()
        return CircuitVariants([prompts.chat(self.draw(query)) for query in reference])

    def discovery(self) -> list[Condition]:
        """The first stage: every head alone, and every site patched."""
        everything = list(range(self.queries))
        heads = self.heads  # a model without any is refused before its tokens are read
        aligned = self._aligned_queries()
        intact, flipped = self.draw, lambda query: episodes.falsify(self.draw(query), 1.0)
        sites = self._sites()
        nothing = sites[0]
        return [
            self._condition(_columns(INTACT), everything, intact, None),
            *(
                self._condition(_columns(ABLATED, head=head), everything, intact, self.variants.without([head], head))
                for head in heads
            ),
            self._condition(_columns(SOURCE), aligned, intact, self.variants.patched(nothing, (nothing,))),
            *(self._condition(_of_site(site), aligned, flipped, self.variants.patched(site, sites)) for site in sites),
        ]

    def confirmation(self, records: pd.DataFrame) -> list[Condition]:
        """The second stage: the heads with the largest effect on the pairs of the discovery, removed together.

        Args:
            records: those of the first stage.
        """
        confirmed = [query for query in range(self.queries) if not self.is_discovery(query)]
        ranked = ranked_heads(records[records["model"] == self.model], self.is_discovery)
        conditions = list(self._attention(records, confirmed[:1]))
        for count in _path(len(ranked)):
            last = ranked[count - 1] if count else None
            variant = self.variants.without(ranked[:count])
            conditions.append(self._condition(_columns(TOP, head=last, k=count), confirmed, self.draw, variant))
            for draw in range(self.draws if 0 < count <= len(ranked) // 2 else 0):
                heads = self._random_heads(ranked, count, draw)
                values = _columns(RANDOM, k=count, draw=draw)
                conditions.append(self._condition(values, confirmed, self.draw, self.variants.without(heads)))
        return conditions

    def _attention(self, records: pd.DataFrame, queries: Sequence[int]) -> Iterator[Condition]:
        """The attention of the head with the largest induction score in the discovery to each label of a query."""
        rows = records[(records["model"] == self.model) & (records["part"] == ABLATED)]
        rows = rows[rows["query_id"].map(self.is_discovery)]
        head = interventions.Head.parse(str(rows.groupby("head")["measurement"].mean().idxmax()))
        for position in range(1, len(self.draw(queries[0]).support) + 1):
            values = _columns(ATTENTION, head=head, position=position)
            yield self._condition(values, queries, self.draw, self.variants.attending(head, position))

    def is_discovery(self, query: int) -> bool:
        """Whether the pair of a query is one of those on which heads are ranked: every second one."""
        return query // self.queries_per_support % len(self.dataset.pairs) % 2 == 0

    def _condition(
        self,
        values: Mapping[str, Value],
        queries: Sequence[int],
        draw: Callable[[int], Episode],
        variant: Callable[[Model], Model] | None,
    ) -> Condition:
        def item(number: int) -> evaluation.EvalItem:
            return evaluation.EvalItem.from_episode(draw(queries[number]))

        return evaluation.Condition(values, len(queries), item, (self.model,), variant)

    def _sites(self) -> tuple[Site, ...]:
        """Nothing, every head, and every kind of token after every layer."""
        layers = sorted({head.layer for head in self.heads})
        return (
            interventions.Site(),
            *(interventions.Site(head=head) for head in self.heads),
            *(interventions.Site(layer=layer, tokens=place) for layer in layers for place in PLACES),  # type: ignore[arg-type]
        )

    def _aligned_queries(self) -> list[int]:
        """The first queries whose names have equally many tokens and differ in the first one."""
        are_aligned = interventions.name_alignment(self.checkpoint, self.draw(0))
        known: dict[tuple[str, str], bool] = {}

        def is_aligned(query: int) -> bool:
            episode = self.draw(query)
            names = episode.true_name, episode.other_name
            if names not in known:
                known[names] = are_aligned(*names)
            return known[names]

        found = list(islice(filter(is_aligned, range(_SEARCHED * self.queries)), self.queries))
        if len({self.draw(query).pair for query in found}) < 2:
            reason = (
                f"patching needs pairs whose two names have the same number of tokens in {self.model} and different "
                f"first tokens; {self.dataset.name} has fewer than two; give other names with --names"
            )
            raise UserError(reason, option="names")
        return found

    def _random_heads(self, ranked: Sequence[Head], count: int, draw: int) -> list[Head]:
        """As many heads that are not among the top ones: of the same layers, as far as these have others."""
        rng = np.random.default_rng([self.seed, _RANDOM, count, draw])
        top, rest = ranked[:count], sorted(ranked[count:])
        rest = [rest[place] for place in rng.permutation(len(rest))]
        wanted = Counter(head.layer for head in top)
        chosen = [head for layer, number in wanted.items() for head in [h for h in rest if h.layer == layer][:number]]
        others = [head for head in rest if head not in chosen]
        return [*chosen, *others[: count - len(chosen)]]


def ranked_heads(records: pd.DataFrame, is_discovery: Callable[[int], bool]) -> list[Head]:
    """The heads of one model by the margin that is lost without them on the pairs of the discovery, the largest first.

    Args:
        records: the records of the first stage.
        is_discovery: whether a query is of such a pair.
    """
    rows = records[records["query_id"].map(is_discovery)]
    rows = rows.assign(margin=margins(rows))
    mean = rows[rows["part"] == ABLATED].groupby("head")["margin"].mean()
    heads = sorted(map(interventions.Head.parse, mean.index))
    return sorted(heads, key=lambda head: round(float(mean[str(head)]), 4))


def _path(heads: int) -> list[int]:
    """Numbers of top heads: all of them in small models, else about a dozen that grow geometrically."""
    if heads <= _FEW:
        return list(range(heads + 1))
    return sorted({0, *np.unique(np.geomspace(1, heads, _STEPS).round().astype(int)).tolist()})


def _of_site(site: Site) -> dict[str, Any]:
    if site.head is not None:
        return _columns(PATCHED, head=site.head)
    return _columns(UNPATCHED) if site.layer is None else _columns(RESIDUAL, layer=site.layer, place=site.tokens)


def _columns(part: str, **values: Any) -> dict[str, Any]:
    """The condition columns; those that do not apply have no value."""
    head = values.get("head")
    return {
        "part": part,
        "head": None if head is None else str(head),
        "layer": values.get("layer"),
        "place": values.get("place"),
        "k": values.get("k"),
        "draw": values.get("draw"),
        "position": values.get("position"),
    }
