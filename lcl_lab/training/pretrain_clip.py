"""Trains the embedded vision encoder: a small CLIP on rendered appearances and their descriptions.

The encoder is frozen afterwards, as in the paper (section 3.1). A batch contains whole groups of look-alikes, so the
contrastive loss depends on every factor; linear heads add a cross-entropy loss for each factor (recall@1 among 2,048
descriptions after 500 steps: 0.22 with the heads, 0.19 without).
"""

from __future__ import annotations

import json

import numpy as np
import torch
from open_clip import ClipLoss
from torch import Tensor, nn

from lcl_lab.atomic import write_text
from lcl_lab.concepts import FACTORS
from lcl_lab.models.mini.clip import build_clip, save_clip, tokenize_descriptions
from lcl_lab.models.mini.clip_tower import WIDTH, pixels
from lcl_lab.training.corpus import GROUP, plan_corpus, render_all
from lcl_lab.training.log import TrainingLog
from lcl_lab.training.loop import LoopConfig, MicroBatch, cpu_threads, fit
from lcl_lab.training.plan import TrainingPlan

__all__ = ["train_clip"]

_STEPS = 2400  # a step takes about half a second on two cores
_GROUPS = 20_000  # of look-alikes in the corpus
_BATCH = 64  # groups per step


def train_clip(plan: TrainingPlan, log: TrainingLog) -> None:
    """Train the CLIP from random weights and write it. A run that was killed resumes.

    Args:
        plan: seed, output folder, threads, and optionally steps, groups and batch (in groups).
        log: the log in the output folder.
    """
    config = plan.config
    groups, batch_size = config.groups or _GROUPS, config.batch or _BATCH
    with cpu_threads(plan.threads):
        torch.manual_seed(config.seed)
        corpus = plan_corpus(config.seed, groups, 0)
        images, _ = render_all(corpus.images, plan.threads)
        texts = tokenize_descriptions([appearance.describe() for appearance in corpus.appearances])
        factors = torch.tensor(
            [[v.index(getattr(appearance, f)) for f, v in FACTORS.items()] for appearance in corpus.appearances]
        )

        def build(step: int, part: int, parts: int) -> list[MicroBatch]:
            first = GROUP * np.random.default_rng([config.seed, 2, step]).integers(groups, size=batch_size)
            rows = (first[:, None] + np.arange(GROUP)).ravel()
            inputs = {"images": pixels(images[rows]), "texts": texts[rows], "factors": factors[rows]}
            return [MicroBatch(inputs, weight=1, tokens=texts[rows].numel())]

        module = _ContrastiveLoss()
        loop = LoopConfig(
            config.steps or _STEPS,
            config.learning_rate or 2e-3,
            weight_decay=0.05,
            checkpoint_every=config.checkpoint_every,
        )
        state = fit(module, build, loop, log)
        if state is not None:
            module.load_state_dict(state)
            save_clip(module.clip, config.out)
            write_text(config.out / "config.json", json.dumps({"model_type": "prototype"}) + "\n")


class _ContrastiveLoss(nn.Module):
    """A CLIP that returns its loss on a batch: the contrastive loss plus a weighted loss for each factor."""

    _FACTOR_WEIGHT = 0.3

    def __init__(self) -> None:
        super().__init__()
        self.clip = build_clip()
        self.heads = nn.ModuleList([nn.Linear(WIDTH, len(values)) for values in FACTORS.values()])
        self._contrastive = ClipLoss()

    def forward(self, images: Tensor, texts: Tensor, factors: Tensor) -> Tensor:
        image, text = self.clip.encode_image(images).float(), self.clip.encode_text(texts).float()
        unit = nn.functional.normalize
        scale = self.clip.logit_scale.exp().clamp(max=100)
        loss: Tensor = self._contrastive(unit(image, dim=-1), unit(text, dim=-1), scale)
        factor_losses = [nn.functional.cross_entropy(head(image), factors[:, k]) for k, head in enumerate(self.heads)]
        return loss + self._FACTOR_WEIGHT * torch.stack(factor_losses).sum()
