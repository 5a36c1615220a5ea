"""Reference models that follow one simple rule, so that it is known what a study must find out about them.

`heuristic/link` gives the label that is most frequent next to images of the query's concept, `heuristic/last` repeats
the last label, `heuristic/majority` gives the most frequent one, `heuristic/nearest` that of the support image most
similar to the query, and `heuristic/prior` the same of two names whatever the support shows. Only the first knows which
concepts the images show.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from math import log
from typing import TYPE_CHECKING

from lcl_lab.models.checkpoint import PROTOTYPE, Checkpoint, find_checkpoint
from lcl_lab.models.interface import Answer, Loglik
from lcl_lab.models.mini.feature_memory import FeatureMemory

if TYPE_CHECKING:
    from PIL.Image import Image

    from lcl_lab.concepts import ImageRef
    from lcl_lab.prompts import Prompt

__all__ = ["HeuristicModel"]

_SURE = 0.9  # probability of the name that a rule gives; the other names share the rest


class HeuristicModel:
    """A `Model` that answers by a rule; where the rule gives no name, all are equally likely and the text is empty.

    Args:
        checkpoint: one of a name in `lcl_lab.models.checkpoint.HEURISTICS`.
    """

    device = "cpu"

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.name, self.fingerprint = checkpoint.name, checkpoint.fingerprint
        rules = {"link": _link, "last": _last, "majority": _majority, "nearest": self._nearest, "prior": _prior}
        self._rule: Callable[[Prompt], str] = rules[checkpoint.path.name]
        self._features = FeatureMemory(find_checkpoint(PROTOTYPE).path) if self._rule == self._nearest else None

    def answer(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> Iterator[Answer]:
        """Answer prompts; see `Model.answer`."""
        if self._features:
            self._features.encode([ref for prompt in prompts for ref in prompt.images], image)
        for prompt in prompts:
            started = time.perf_counter()
            name = self._rule(prompt)
            logliks = tuple(Loglik(log(share), 1) for share in _shares(prompt.candidates, name))
            nearest = self._features.nearest(prompt.images) if self._features else None
            yield Answer(name, logliks, time.perf_counter() - started, nearest=nearest)

    def _nearest(self, prompt: Prompt) -> str:
        if not prompt.images or self._features is None:
            return ""
        *support, query = prompt.images
        labels = _labels(prompt)
        best = {labels[place] for place in self._features.most_similar(query, support)}
        return best.pop() if len(best) == 1 else ""


def _link(prompt: Prompt) -> str:
    if not prompt.images:
        return ""
    *support, query = prompt.images
    labels = zip(support, _labels(prompt), strict=True)
    return _most_frequent([label for ref, label in labels if ref.concept == query.concept])


def _last(prompt: Prompt) -> str:
    return (_labels(prompt) or [""])[-1]


def _majority(prompt: Prompt) -> str:
    return _most_frequent(_labels(prompt))


def _most_frequent(labels: Sequence[str]) -> str:
    """The most frequent label; empty if there is none, or two are equally frequent."""
    counts = Counter(labels).most_common(2)
    is_tie = len(counts) == 2 and counts[0][1] == counts[1][1]
    return counts[0][0] if counts and not is_tie else ""


def _prior(prompt: Prompt) -> str:
    """The name with the smallest hash: arbitrary, but always the same."""
    if len(prompt.candidates) < 2:
        return ""  # the only candidate of a question is its answer, and no choice
    return min(prompt.candidates, key=lambda name: blake2b(name.encode()).digest())


def _labels(prompt: Prompt) -> list[str]:
    return [str(turn.parts[0]) for turn in prompt.turns if turn.role == "assistant"]


def _shares(candidates: Sequence[str], name: str) -> list[float]:
    """The probability of each candidate."""
    if name not in candidates or len(candidates) < 2:
        return [1 / max(1, len(candidates))] * len(candidates)
    rest = (1 - _SURE) / (len(candidates) - 1)
    return [_SURE if candidate == name else rest for candidate in candidates]
