"""The reference of every study: a nearest-prototype classifier on the mini models' frozen vision features.

It answers with the name whose support images are nearest to the query on average, so its accuracy bounds what can be
learned from these features. It implements the same interface as any other model.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from lcl_lab.concepts import ImageRef
from lcl_lab.models.checkpoint import Checkpoint
from lcl_lab.models.interface import Answer, Loglik
from lcl_lab.models.mini.feature_memory import FeatureMemory
from lcl_lab.prompts import Prompt

__all__ = ["PrototypeModel"]


class PrototypeModel:
    """A `Model` whose log-likelihoods are the log-softmax of negative squared distances, each counted as one token.

    Where several candidates are equally likely, as all are without a support, the text is empty.

    Args:
        checkpoint: a folder with a mini CLIP.
    """

    device = "cpu"

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.name, self.fingerprint = checkpoint.name, checkpoint.fingerprint
        self._features = FeatureMemory(checkpoint.path)

    def answer(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> Iterator[Answer]:
        """Answer prompts; see `Model.answer`."""
        self._features.encode([ref for prompt in prompts for ref in prompt.images], image)
        for prompt in prompts:
            started = time.perf_counter()
            scores = self._scores(prompt)
            logliks = scores - np.logaddexp.reduce(scores)
            nearest = [name for name, score in zip(prompt.candidates, scores, strict=True) if score == scores.max()]
            # The only candidate of a question is its answer, and no choice.
            text = nearest[0] if len(nearest) == 1 < len(prompt.candidates) else ""
            seconds = time.perf_counter() - started
            yield Answer(
                text=text,
                logliks=tuple(Loglik(float(loglik), 1) for loglik in logliks),
                seconds=seconds,
                nearest=self._features.nearest(prompt.images),
            )

    def _scores(self, prompt: Prompt) -> NDArray[np.float64]:
        """Negative squared distance of the query to each candidate's prototype."""
        if not prompt.images:
            return np.zeros(len(prompt.candidates))  # a question without images
        *shots, query = prompt.images
        labels = [str(turn.parts[0]) for turn in prompt.turns if turn.role == "assistant"]
        scores = []
        for candidate in prompt.candidates:
            examples = [self._features[ref] for ref, label in zip(shots, labels, strict=True) if label == candidate]
            # A name that is not in the support gets the farthest point of the unit sphere.
            prototype = np.mean(examples, axis=0) if examples else -self._features[query]
            scores.append(-float(((self._features[query] - prototype) ** 2).sum()))
        return np.array(scores)
