"""The reference of every study: a nearest-prototype classifier on the frozen vision features.

It names the query after the shown name whose images are nearest on average, so it follows every
link that the features can carry. It answers through the same interface as any other model.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import ImageOps
from PIL.Image import Image

from lcl_lab.concepts import IMAGE_SIZE, ImageRef
from lcl_lab.models.checkpoint import Checkpoint
from lcl_lab.models.interface import Answer, Loglik
from lcl_lab.models.mini.clip import image_features, load_clip
from lcl_lab.prompts import Prompt

__all__ = ["PrototypeModel"]


class PrototypeModel:
    """A `Model` whose log-likelihoods are the log-softmax of negative squared distances, as one token each.

    Without a support it has nothing to say.
    """

    device = "cpu"

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.name, self.fingerprint = checkpoint.name, checkpoint.fingerprint
        self._clip = load_clip(checkpoint.path)
        self._features: dict[ImageRef, NDArray[np.float32]] = {}

    def answer(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> Iterator[Answer]:
        self._see([ref for prompt in prompts for ref in prompt.images], image)
        for prompt in prompts:
            started = time.perf_counter()
            scores = self._scores(prompt)
            logliks = scores - np.logaddexp.reduce(scores)
            text = prompt.candidates[int(np.argmax(scores))] if len(prompt.images) > 1 else ""
            yield Answer(text, tuple(Loglik(float(s), 1) for s in logliks), time.perf_counter() - started)

    def _see(self, refs: Sequence[ImageRef], image: Callable[[ImageRef], Image]) -> None:
        new = [ref for ref in dict.fromkeys(refs) if ref not in self._features]
        if new:
            fitted = [ImageOps.fit(image(ref).convert("RGB"), (IMAGE_SIZE, IMAGE_SIZE)) for ref in new]
            pictures = np.stack([np.asarray(picture) for picture in fitted])
            self._features |= dict(zip(new, image_features(self._clip, pictures), strict=True))

    def _scores(self, prompt: Prompt) -> NDArray[np.float64]:
        """Negative squared distance of the query to each candidate's prototype; a name that was not shown is far."""
        if not prompt.images:
            return np.zeros(len(prompt.candidates))  # of text it knows nothing
        *shown, query = prompt.images
        names = [str(turn.parts[0]) for turn in prompt.turns if turn.role == "assistant"]
        scores = []
        for candidate in prompt.candidates:
            own = [self._features[ref] for ref, name in zip(shown, names, strict=True) if name == candidate]
            mean = np.mean(own, axis=0) if own else -self._features[query]
            scores.append(-float(((self._features[query] - mean) ** 2).sum()))
        return np.array(scores)
