"""The recipes of the embedded models: each takes a trained start and leaves a checkpoint folder.

vision (nothing → CLIP) → base (CLIP → original tasks) → 2-way (base → link-context learning).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoProcessor
from transformers.utils.logging import disable_progress_bar

from lcl_lab.concepts import ImageRef
from lcl_lab.concepts.neighbours import draw_neighbours, similarity
from lcl_lab.concepts.world import world_900
from lcl_lab.models.clip import image_features, load_clip, read_tokens, vision_tower
from lcl_lab.models.mini import IMAGE_TOKENS, MiniForConditionalGeneration, build_mini
from lcl_lab.models.mini_processor import build_processor
from lcl_lab.models.registry import PROTOTYPE, find_checkpoint
from lcl_lab.prompts import Prompt
from lcl_lab.strategies.bank import BlendedBank, look_at
from lcl_lab.strategies.clip import ClipPlan, train_clip
from lcl_lab.strategies.corpus import make_corpus, render_all
from lcl_lab.strategies.log import TrainingLog
from lcl_lab.strategies.tasks import draw_task
from lcl_lab.strategies.trainer import Phase, train
from lcl_lab.strategies.two_way import TwoWay

__all__ = ["RECIPES", "Budget", "Recipe"]


disable_progress_bar()  # a model is loaded in a blink


@dataclass(frozen=True)
class Budget:
    """How much a recipe may spend; `tiny` shows that it runs."""

    groups: int  # of look-alikes, in the corpus of vision and base
    known: int  # images of each known thing
    images: int  # of each training class, for episodes
    steps: Mapping[str, tuple[int, ...]]


DEFAULT = Budget(20_000, 256, 32, {"vision": (2400,), "base": (1500,), "2-way": (900, 300)})
TINY = Budget(40, 8, 9, {"vision": (4,), "base": (4,), "2-way": (3, 2)})
BUDGETS = {"default": DEFAULT, "tiny": TINY}

Recipe = Callable[[Path, Path, Budget, int, TrainingLog], None]


def vision(start: Path, out: Path, budget: Budget, seed: int, log: TrainingLog) -> None:
    """A small CLIP from nothing; `start` is not read."""
    corpus = make_corpus(seed, budget.groups, 0, torch.get_num_threads())
    groups = min(64, budget.groups)
    train_clip(corpus, ClipPlan(steps=budget.steps["vision"][0], groups=groups, seed=seed), out, log)
    (out / "config.json").write_text(json.dumps({"model_type": "prototype"}) + "\n")


def base(start: Path, out: Path, budget: Budget, seed: int, log: TrainingLog) -> None:
    """The original tasks, around the frozen image tower of the CLIP in `start`."""
    torch.manual_seed(seed)
    processor = build_processor(IMAGE_TOKENS)
    tokenizer = processor.tokenizer
    tower = vision_tower(load_clip(start))
    model = build_mini(tower, len(tokenizer), processor.image_token_id, tokenizer.eos_token_id)
    # Single images teach nothing about looking back, and would wear out the heads that do.
    for layer in model.model.language_model.layers:
        layer.self_attn.requires_grad_(False)
    corpus = make_corpus(seed, budget.groups // 4, budget.known, torch.get_num_threads())
    features = look_at(model, corpus.images)
    named = np.flatnonzero([bool(name) for name in corpus.names])
    unnamed = len(corpus.looks) - len(named)

    def draw(rng: np.random.Generator) -> list[Prompt]:
        rows = [int(rng.choice(named) if rng.random() < 0.2 else rng.integers(unnamed)) for _ in range(64)]
        return [draw_task(rng, ImageRef("corpus", "", row), corpus.looks[row], corpus.names[row]) for row in rows]

    phases = [Phase(budget.steps["base"][0], draw)]
    train(model, processor, phases, lambda refs, _: features[[ref.number for ref in refs]], 2e-3, seed, log)
    _save(model, processor, out)


def two_way(start: Path, out: Path, budget: Budget, seed: int, log: TrainingLog) -> None:
    """`[2-way]` from the base model in `start`, on `world-900`."""
    torch.manual_seed(seed)
    processor = AutoProcessor.from_pretrained(start)
    model = MiniForConditionalGeneration.from_pretrained(start, dtype=torch.float32)
    model.model.vision_tower.requires_grad_(False)
    world = world_900()
    images = render_all(
        [(look, number) for look in world.looks.values() for number in range(budget.images)], torch.get_num_threads()
    )
    features = look_at(model, images).unflatten(0, (len(world.concepts), budget.images))
    strategy = TwoWay(world, _neighbours(images, budget.images, seed), budget.images)

    def phase(steps: int, shots: int, batch: int) -> Phase:
        return Phase(steps, lambda rng: [strategy.draw(rng, shots) for _ in range(batch)])

    short, full = budget.steps["2-way"]
    phases = [phase(short, 4, 64), phase(full, 16, 16)]
    train(model, processor, phases, BlendedBank(features, list(world.concepts)), 3e-3, seed, log)
    _save(model, processor, out)


RECIPES: dict[str, Recipe] = {"vision": vision, "base": base, "2-way": two_way}


def _neighbours(images: np.ndarray, per_class: int, seed: int) -> np.ndarray:
    """100 hard negatives of every class of `world-900` by the shipped CLIP."""
    clip = load_clip(find_checkpoint(PROTOTYPE).path)
    means = image_features(clip, images).reshape(len(images) // per_class, per_class, -1).mean(1)
    with torch.inference_mode():
        texts = clip.encode_text(read_tokens(list(world_900().looks.values())), normalize=True).numpy()
    return draw_neighbours(similarity(means, texts), 100, np.random.default_rng([seed, 4]))


def _save(model: Any, processor: Any, out: Path) -> None:
    model.half().save_pretrained(out)
    processor.save_pretrained(out)
