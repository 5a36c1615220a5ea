"""Trains one model by one strategy: the embedded LLaVA, or a LLaVA of `transformers` in full or by LoRA."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AutoModelForImageTextToText, AutoProcessor
from transformers.utils.logging import disable_progress_bar

from lcl_lab.concepts import load_dataset
from lcl_lab.episodes import draw_episode
from lcl_lab.errors import UserError
from lcl_lab.models import Checkpoint
from lcl_lab.models.mini.architecture import IMAGE_TOKENS, MiniForConditionalGeneration, build_mini
from lcl_lab.models.mini.clip import load_clip, vision_tower
from lcl_lab.models.mini.processor import build_processor
from lcl_lab.prompts import Prompt, chat
from lcl_lab.strategies import Stage, Strategy
from lcl_lab.training.augmentation import FeatureAugmentation
from lcl_lab.training.data import Sources, gather
from lcl_lab.training.frozen_vision import FrozenVision
from lcl_lab.training.log import TrainingLog
from lcl_lab.training.loop import Part, Settings, fit, processes
from lcl_lab.training.lora import add_adapters
from lcl_lab.training.loss import AnswerLoss, Reader, candidate_accuracy

__all__ = ["Options", "train_strategy"]

_HELD_OUT_SHOTS = 8
_Drawn = tuple[Prompt, np.random.Generator]

disable_progress_bar()  # a model is loaded in a blink


@dataclass(frozen=True)
class Options:
    """What a user may decide about a training; None is what suits the strategy and the model."""

    seed: int = 0
    steps: int | None = None
    batch: int | None = None  # prompts of a step, over all processes
    accumulate: int = 1
    learning_rate: float | None = None
    checkpoint_every: int = 100
    evaluate_every: int = 200
    target: float | None = None  # held-out accuracy at which training stops
    every_answer: bool = False
    lora: int | None = None  # rank; None trains all weights but the tower's
    held_out_queries: int = 100
    threads: int = 1


def train_strategy(
    strategy: Strategy, start: Checkpoint, out: Path, sources: Sources, options: Options, log: TrainingLog
) -> None:
    """Train from `start`, leave a checkpoint of `transformers` in `out`. Killed and called again, it goes on.

    Raises:
        UserError: a start that cannot be trained.
    """
    torch.manual_seed(options.seed)
    model, processor = _load(start)
    small = isinstance(model, MiniForConditionalGeneration)
    tower = FrozenVision(start.name, model, processor)
    tower.to(processes().device)
    module = _module(model, strategy, options)
    material, plain, means = gather(strategy, sources, tower, options.threads, ahead=small)
    stages = _stages(strategy, options, small)
    banks = {s.noise: FeatureAugmentation(plain, means, s.noise) if means else plain for s in stages}
    readers = {noise: Reader(processor, bank, options.every_answer) for noise, bank in banks.items()}

    def read(step: int, part: int, parts: int) -> list[Part]:
        stage = _stage(stages, step)
        generators = [np.random.default_rng([options.seed, 3, step, i]) for i in range(part, stage.batch, parts)]
        drawn = [(stage.draw(material, rng), rng) for rng in generators]
        return [readers[stage.noise].read(alike) for alike in (_alike(drawn) if parts == 1 else [drawn])]

    judge, prompts = Reader(processor, plain), _held_out(options)
    settings = _settings(strategy, options, sum(stage.steps for stage in stages), small)
    state = fit(
        module, read, settings, log, lambda score, device: candidate_accuracy(score, judge, prompts, 25, device)
    )
    if state is not None:
        _save(state, start, strategy, options, out)


def _load(start: Checkpoint) -> tuple[Any, Any]:
    """A model and its processor; around a CLIP, a new embedded model."""
    if (start.path / "clip.safetensors").exists():
        processor = build_processor(IMAGE_TOKENS)
        tokenizer = processor.tokenizer
        tower = vision_tower(load_clip(start.path))
        return build_mini(tower, len(tokenizer), processor.image_token_id, tokenizer.eos_token_id), processor
    try:
        model = AutoModelForImageTextToText.from_pretrained(start.path, dtype=torch.float32)
        return model, AutoProcessor.from_pretrained(start.path)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise UserError(f"--start {start.name}: cannot load {start.path}: {str(error).splitlines()[0]}") from error


def _alike(drawn: Sequence[_Drawn]) -> list[list[_Drawn]]:
    """Prompts with and without a support apart: together, the short would be padded to the long."""
    by_support = [[one for one in drawn if bool(one[0].images[1:]) == support] for support in (False, True)]
    return [some for some in by_support if some]


def _stages(strategy: Strategy, options: Options, small: bool) -> tuple[Stage, ...]:
    """The strategy's own stages for the embedded model; as many steps of its definition for others, or when asked."""
    last = strategy.stages[-1]
    if not small:
        return (Stage(options.steps or 2000, options.batch or 4, last.draw),)
    stages = strategy.stages if options.steps is None else (replace(last, steps=options.steps),)
    return tuple(replace(stage, batch=options.batch or stage.batch) for stage in stages)


def _settings(strategy: Strategy, options: Options, steps: int, small: bool) -> Settings:
    """The paper's for a large model: AdamW without weight decay, 3 % of warm-up."""
    usual = strategy.learning_rate if small else 2e-4 if options.lora else 2e-5
    return Settings(
        steps=steps,
        learning_rate=options.learning_rate or usual,
        warm_up=100 if small else round(0.03 * steps),
        weight_decay=0.01 if small else 0.0,
        accumulate=options.accumulate,
        checkpoint_every=options.checkpoint_every,
        evaluate_every=options.evaluate_every,
        target=options.target,
    )


def _held_out(options: Options) -> list[Prompt]:
    """Episodes on unseen classes that are in no evaluation, the same for every strategy and seed."""
    concepts = load_dataset("world-dev")
    return [chat(draw_episode(concepts, 0, query, _HELD_OUT_SHOTS)) for query in range(options.held_out_queries)]


def _stage(stages: tuple[Stage, ...], step: int) -> Stage:
    """The stage that a step falls into."""
    ends = np.cumsum([stage.steps for stage in stages])
    return stages[int(np.searchsorted(ends, step, side="right"))]


def _module(model: Any, strategy: Strategy, options: Options) -> AnswerLoss:
    """What is trained of a model without its tower."""
    if not strategy.trains_attention:
        for layer in model.model.language_model.layers:
            layer.self_attn.requires_grad_(False)
    if not isinstance(model, MiniForConditionalGeneration):
        # 17 images are thousands of tokens; their activations in all layers at once would fill a GPU.
        model.gradient_checkpointing_enable({"use_reentrant": False})
    return AnswerLoss(add_adapters(model, options.lora) if options.lora else model)


def _save(state: dict[str, Tensor], start: Checkpoint, strategy: Strategy, options: Options, out: Path) -> None:
    """Write the trained weights as the checkpoint of a whole model, adapters merged; in place of `start`'s own."""
    model, processor = _load(start)
    tower = FrozenVision(start.name, model, processor)
    module = _module(model, strategy, options)
    module.load_state_dict(state)
    tower.give_back(model)
    if options.lora:
        model = module.model.merge_and_unload()
    if isinstance(model, MiniForConditionalGeneration):
        model = model.half()  # a shipped file of half the size; answers are computed in single precision
    model.save_pretrained(out)
    processor.save_pretrained(out)
