"""The variants of a model that a study of its heads evaluates: without some heads, or with patched activations."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import TYPE_CHECKING

from lcl_lab import models
from lcl_lab.models import interventions
from lcl_lab.prompts import Prompt

if TYPE_CHECKING:
    from PIL.Image import Image

    from lcl_lab.concepts import ImageRef
    from lcl_lab.models import Answer, Loglik, Model
    from lcl_lab.models.interventions import Head, MeanOutputs, Site

__all__ = ["CircuitVariants", "exchange_labels"]


def exchange_labels(prompt: Prompt) -> Prompt:
    """The prompt with every label of its support replaced by the other name."""
    true, other = prompt.candidates
    exchanged = {true: other, other: true}
    turns = tuple(
        replace(turn, parts=tuple(exchanged.get(str(part), part) for part in turn.parts))
        if turn.role == "assistant"
        else turn
        for turn in prompt.turns
    )
    return replace(prompt, turns=turns)


@dataclass
class CircuitVariants:
    """Variants of one model. What was computed for a prompt is kept, since many variants need it; models are not.

    Attributes:
        reference: prompts over which heads' outputs are averaged; empty to ablate with zeros.
    """

    reference: Sequence[Prompt]
    _means: MeanOutputs | None = field(default=None, init=False, repr=False)
    _induction: dict[Prompt, Mapping[Head, float]] = field(default_factory=dict, init=False, repr=False)
    _patched: dict[tuple[Prompt, Sequence[Site]], list[tuple[Loglik, ...]]] = field(
        default_factory=dict, init=False, repr=False
    )

    def without(self, heads: Sequence[Head], measured: Head | None = None) -> Callable[[Model], Model]:
        """The model without some heads; the induction score of one of them is measured beside each answer."""
        return lambda model: _Ablated(model, self, heads, measured)

    def attending(self, head: Head, position: int) -> Callable[[Model], Model]:
        """The model itself; the attention of a head to the label at a position, from 1, is measured."""
        return lambda model: _Attending(model, head, position)

    def patched(self, site: Site, sites: Sequence[Site]) -> Callable[[Model], Model]:
        """The model with activations of the prompt with exchanged labels at a site; all sites are computed at once."""
        return lambda model: _Patched(model, self, site, sites)

    def means(self, model: Model, image: Callable[[ImageRef], Image]) -> MeanOutputs | None:
        """The mean outputs of the model's heads; None to ablate with zeros."""
        if self._means is None and self.reference:
            self._means = interventions.mean_outputs(model, self.reference, image)
        return self._means

    def induction(self, model: Model, prompt: Prompt, image: Callable[[ImageRef], Image]) -> Mapping[Head, float]:
        """The induction score of every head on a prompt."""
        if prompt not in self._induction:
            self._induction[prompt] = interventions.AttentionProbe(model).induction_scores(prompt, image)
        return self._induction[prompt]

    def logliks(
        self, model: Model, prompt: Prompt, site: Site, sites: Sequence[Site], image: Callable[[ImageRef], Image]
    ) -> tuple[Loglik, ...]:
        """The log-likelihoods of the candidates' first tokens with one of several sites patched."""
        key = prompt, sites
        if key not in self._patched:
            patcher = interventions.Patcher(model)
            self._patched[key] = patcher.first_token_logliks(prompt, exchange_labels(prompt), sites, image)
        return self._patched[key][sites.index(site)]


@dataclass
class _Variant:
    """What all variants of a model have in common. Their fields say what is changed.

    Attributes:
        model: the model itself.
    """

    model: Model = field(repr=False)

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def fingerprint(self) -> str:
        return blake2b(f"{self.model.fingerprint}\0{self!r}".encode(), digest_size=8).hexdigest()

    @property
    def device(self) -> str:
        return self.model.device


@dataclass
class _Ablated(_Variant):
    """Answers without some heads."""

    variants: CircuitVariants
    heads: Sequence[Head]
    measured: Head | None

    def answer(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> Iterator[Answer]:
        ablated = interventions.AblatedModel(self.model, self.heads, self.variants.means(self.model, image))
        for prompt, answer in zip(prompts, ablated.answer(prompts, image), strict=True):
            if self.measured is None:
                yield answer
            else:
                score = self.variants.induction(self.model, prompt, image)[self.measured]
                yield replace(answer, measurement=score)


@dataclass
class _Attending(_Variant):
    """Answers with the attention of a head to one label."""

    head: Head
    position: int

    def answer(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> Iterator[Answer]:
        probe = interventions.AttentionProbe(self.model)
        for prompt, answer in zip(prompts, self.model.answer(prompts, image), strict=True):
            attention = probe.label_attention(prompt, image)[self.head][self.position - 1]
            yield replace(answer, measurement=attention)


@dataclass
class _Patched(_Variant):
    """Answers with patched activations: the name whose first token is the likelier one."""

    variants: CircuitVariants
    site: Site
    sites: Sequence[Site]

    def answer(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> Iterator[Answer]:
        for prompt in prompts:
            started = time.perf_counter()
            logliks = self.variants.logliks(self.model, prompt, self.site, self.sites, image)
            best = max(range(len(logliks)), key=lambda number: logliks[number].total)
            yield models.Answer(prompt.candidates[best], logliks, time.perf_counter() - started)
