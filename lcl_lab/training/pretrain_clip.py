"""Trains the embedded vision encoder: a small CLIP on rendered looks and their descriptions.

The image tower is then frozen for good, as in the paper (section 3.1). A batch holds whole groups of
look-alikes, so that the contrastive loss asks for every factor; a linear head for each factor adds
its cross-entropy (r@1 among 2,048 descriptions after 500 steps: 0.22 with the heads, 0.19 without).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from open_clip import ClipLoss
from torch import Tensor, nn

from lcl_lab.concepts import FACTORS
from lcl_lab.models.mini.clip import WIDTH, build_clip, pixels, read_words, save_clip
from lcl_lab.training.corpus import GROUP, plan_corpus, render_all
from lcl_lab.training.log import TrainingLog
from lcl_lab.training.loop import Part, Settings, fit

__all__ = ["ClipPlan", "train_clip"]


@dataclass(frozen=True)
class ClipPlan:
    """How long and on how much; one step on two cores takes about half a second."""

    steps: int = 2400
    groups: int = 20_000  # of look-alikes in the corpus
    batch: int = 64  # groups


def train_clip(plan: ClipPlan, out: Path, seed: int, threads: int, log: TrainingLog) -> None:
    """Write the trained CLIP into `out`, from nothing. Killed and called again, it goes on."""
    torch.manual_seed(seed)
    corpus = plan_corpus(seed, plan.groups, 0)
    images, _ = render_all(list(zip(corpus.looks, corpus.numbers, strict=True)), threads)
    texts = read_words([look.describe() for look in corpus.looks])
    factors = torch.tensor([[v.index(getattr(look, f)) for f, v in FACTORS.items()] for look in corpus.looks])

    def read(step: int, part: int, parts: int) -> list[Part]:
        first = GROUP * np.random.default_rng([seed, 2, step]).integers(plan.groups, size=plan.batch)
        rows = (first[:, None] + np.arange(GROUP)).ravel()
        inputs = {"seen": pixels(images[rows]), "texts": texts[rows], "factors": factors[rows]}
        return [Part(inputs, weight=1, tokens=texts[rows].numel())]

    module = _Contrast()
    state = fit(module, read, Settings(plan.steps, 2e-3, weight_decay=0.05), log)
    if state is not None:
        module.load_state_dict(state)
        save_clip(module.clip, out)
        (out / "config.json").write_text(json.dumps({"model_type": "prototype"}) + "\n")


class _Contrast(nn.Module):
    """A CLIP that gives its loss on a batch: contrastive, and a little of every factor's own."""

    _FACTOR_WEIGHT = 0.3

    def __init__(self) -> None:
        super().__init__()
        self.clip = build_clip()
        self.heads = nn.ModuleList([nn.Linear(WIDTH, len(values)) for values in FACTORS.values()])
        self._contrast = ClipLoss()

    def forward(self, seen: Tensor, texts: Tensor, factors: Tensor) -> Tensor:
        image, text = self.clip.encode_image(seen).float(), self.clip.encode_text(texts).float()
        unit = nn.functional.normalize
        scale = self.clip.logit_scale.exp().clamp(max=100)
        loss: Tensor = self._contrast(unit(image, dim=-1), unit(text, dim=-1), scale)
        told = [nn.functional.cross_entropy(head(image), factors[:, k]) for k, head in enumerate(self.heads)]
        return loss + self._FACTOR_WEIGHT * torch.stack(told).sum()
