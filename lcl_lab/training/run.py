"""Trains one model by one strategy: the embedded model, or a LLaVA of `transformers`, in full or with LoRA."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoModelForImageTextToText, AutoProcessor
from transformers.utils import logging as transformers_logging

import lcl_lab.models.shikra.shikra_image_processor  # noqa: F401 - registers the classes of converted checkpoints
from lcl_lab.errors import UserError
from lcl_lab.models import Checkpoint
from lcl_lab.models.mini.architecture import IMAGE_TOKENS, MiniForConditionalGeneration, build_mini
from lcl_lab.models.mini.clip import load_clip, transformers_vision_tower
from lcl_lab.models.mini.processor import build_processor
from lcl_lab.models.saving import save_checkpoint
from lcl_lab.prompts import Prompt
from lcl_lab.strategies import Stage, Strategy, TrainingData
from lcl_lab.training.augmentation import FeatureAugmentation
from lcl_lab.training.data import DataConfig, load_training_data
from lcl_lab.training.frozen_vision import FrozenVision
from lcl_lab.training.held_out import LossModel, held_out_accuracy, held_out_design, held_out_loss
from lcl_lab.training.identity import SNAPSHOTS
from lcl_lab.training.log import TrainingLog
from lcl_lab.training.loop import LoopConfig, MicroBatch, cpu_threads, fit, processes
from lcl_lab.training.lora import add_adapters
from lcl_lab.training.loss import AnswerLoss, BatchBuilder
from lcl_lab.training.plan import TrainingPlan, check_batch
from lcl_lab.training.task_share import with_task_share
from lcl_lab.training.task_template import check_template
from lcl_lab.training.train_config import TrainConfig
from lcl_lab.type_checks import check_type

__all__ = ["train_strategy"]

_HELD_OUT_TASKS = 64
_TASKS_BATCH = 4  # conversations may have thousands of tokens

_Drawn = tuple[Prompt, np.random.Generator]


def train_strategy(plan: TrainingPlan, log: TrainingLog) -> None:
    """Train a model and write it as a checkpoint of `transformers`. A run that was killed resumes.

    Args:
        plan: the run, with a strategy, a dataset and a start model.
        log: the log in the output folder.

    Raises:
        UserError: the start model cannot be loaded or trained, or a checkpoint cannot be written.
    """
    config, strategy, start = plan.config, plan.strategy, plan.start
    assert strategy is not None
    assert start is not None
    with cpu_threads(plan.threads), _no_progress_bar():
        torch.manual_seed(config.seed)
        model, processor = _load(start)
        embedded = isinstance(model, MiniForConditionalGeneration)
        vision = FrozenVision(start.name, model, processor)
        vision.to(processes().device)
        module = _trainable(model, strategy, config)
        data = load_training_data(strategy, _data_config(plan), vision, plan.threads, precompute=embedded)
        stages = _stages(strategy, config, embedded)
        if config.tasks_share is not None:
            stages = with_task_share(stages, config.tasks_share)
        for stage in stages:
            check_batch(stage.batch, config.accumulate)
        builders = {}
        for stage in stages:
            augmented = FeatureAugmentation(data.features, data.means, stage.noise) if data.means else data.features
            builders[stage.noise] = BatchBuilder(processor, augmented, config.every_answer)

        def build(step: int, part: int, parts: int) -> list[MicroBatch]:
            stage = _stage(stages, step)
            generators = [np.random.default_rng([config.seed, 3, step, i]) for i in range(part, stage.batch, parts)]
            drawn = [(stage.draw(data.prompts, rng), rng) for rng in generators]
            return [builders[stage.noise].build(group) for group in (_by_length(drawn) if parts == 1 else [drawn])]

        if plan.tasks:
            check_template(plan.tasks, processor)
        _check_draws(stages, data.prompts)
        design = held_out_design(config.held_out_queries, config.ways)
        builder = BatchBuilder(processor, data.features)
        tasks = plan.tasks.held_out(_HELD_OUT_TASKS) if plan.tasks else []

        def evaluate(wrapped: nn.Module, device: torch.device) -> float:
            if tasks:
                log.tasks_loss = held_out_loss(LossModel(wrapped, builder, device, _TASKS_BATCH), tasks)
            return held_out_accuracy(LossModel(wrapped, builder, device), design)

        loop = _loop_config(strategy, config, sum(stage.steps for stage in stages), embedded)

        def snapshot(step: int, weights: dict[str, Tensor]) -> None:
            with torch.random.fork_rng():  # building the model draws weights, which must not move the training's draws
                _save_snapshot(weights, plan, step)

        state = fit(module, build, loop, log, evaluate, snapshot)
        if state is not None:
            _save(state, plan, config.out)


def _check_draws(stages: Sequence[Stage], prompts: TrainingData) -> None:
    """Draw one prompt of every stage, so that a mistake in a user's strategy is one line before training starts.

    Raises:
        UserError: a stage cannot draw, or draws something else.
    """
    for number, stage in enumerate(stages, start=1):
        try:
            prompt = stage.draw(prompts, np.random.default_rng(0))
        except UserError:
            raise
        except Exception as error:  # whatever the code of a user raises
            reason = f"draw of stage {number} fails: {type(error).__name__}: {error}"
            raise UserError(reason, option="strategy") from error
        check_type(prompt, Prompt, "strategy", f"draw of stage {number} must return one")


@contextmanager
def _no_progress_bar() -> Iterator[None]:
    """Loading and saving show no progress bars of `transformers`."""
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()


def _load(start: Checkpoint) -> tuple[Any, Any]:
    """A model and its processor; for a CLIP, a new embedded model around it."""
    if (start.path / "clip.safetensors").exists():
        processor = build_processor(IMAGE_TOKENS)
        tokenizer = processor.tokenizer
        tower = transformers_vision_tower(load_clip(start.path))
        return build_mini(tower, len(tokenizer), processor.image_token_id, tokenizer.eos_token_id), processor
    try:
        model = AutoModelForImageTextToText.from_pretrained(start.path, dtype=torch.float32, local_files_only=True)
        return model, AutoProcessor.from_pretrained(start.path, local_files_only=True)
    except Exception as error:  # damaged settings make `transformers` raise whatever they are used for
        reason = f"cannot load {start.path}: {' '.join(f'{type(error).__name__}: {error}'.split())[:300]}"
        raise UserError(reason, option="start", value=start.name) from error


def _data_config(plan: TrainingPlan) -> DataConfig:
    assert plan.dataset is not None
    config = plan.config
    return DataConfig(
        dataset=plan.dataset,
        neighbours=config.neighbours,
        clip=config.clip,
        images=config.images,
        groups=config.groups or DataConfig.groups,
        known_images=config.known_images,
        ways=config.ways,
        tasks=plan.tasks,
    )


def _by_length(drawn: Sequence[_Drawn]) -> list[list[_Drawn]]:
    """Separate prompts without a support from those with one, which are so long that padding would be wasteful."""
    groups = [[one for one in drawn if bool(one[0].images[1:]) == support] for support in (False, True)]
    return [group for group in groups if group]


def _stages(strategy: Strategy, config: TrainConfig, embedded: bool) -> tuple[Stage, ...]:
    """All stages for the embedded model; only the last one for others, or when the number of steps is given."""
    last = strategy.stages[-1]
    if not embedded:
        return (Stage(config.steps or 2000, config.batch or 4, last.draw),)
    stages = strategy.stages if config.steps is None else (replace(last, steps=config.steps),)
    return tuple(replace(stage, batch=config.batch or stage.batch) for stage in stages)


def _stage(stages: tuple[Stage, ...], step: int) -> Stage:
    """The stage of a step."""
    ends = np.cumsum([stage.steps for stage in stages])
    return stages[int(np.searchsorted(ends, step, side="right"))]


def _loop_config(strategy: Strategy, config: TrainConfig, steps: int, embedded: bool) -> LoopConfig:
    """For a large model as in the paper: AdamW without weight decay, 3 % of warm-up."""
    default = strategy.learning_rate if embedded else 2e-4 if config.lora else 2e-5
    return LoopConfig(
        steps=steps,
        learning_rate=config.learning_rate or default,
        warm_up=100 if embedded else round(0.03 * steps),
        weight_decay=0.01 if embedded else 0.0,
        accumulate=config.accumulate,
        checkpoint_every=config.checkpoint_every,
        snapshot_every=config.snapshot_every,
        evaluate_every=config.evaluate_every,
        target=config.target,
    )


def _trainable(model: Any, strategy: Strategy, config: TrainConfig) -> AnswerLoss:
    """The module to train, from a model without its vision encoder."""
    if not strategy.trains_attention:
        for layer in model.model.language_model.layers:
            layer.self_attn.requires_grad_(False)
    if not isinstance(model, MiniForConditionalGeneration):
        # 17 images are thousands of tokens; the activations of all layers at once would fill a GPU.
        model.gradient_checkpointing_enable({"use_reentrant": False})
    return AnswerLoss(add_adapters(model, config.lora) if config.lora else model)


def _save_snapshot(state: dict[str, Tensor], plan: TrainingPlan, step: int) -> None:
    """Write `snapshots/step-000100` and so on, each complete or not at all."""
    path = plan.config.out / SNAPSHOTS / f"step-{step:06}"
    part = path.with_name(f".{path.name}.part")
    _save(state, plan, part)
    shutil.rmtree(path, ignore_errors=True)  # one that a killed process wrote after its last checkpoint
    os.replace(part, path)


def _save(state: dict[str, Tensor], plan: TrainingPlan, folder: Path) -> None:
    """Write a complete model with the trained weights, adapters merged."""
    config, strategy, start = plan.config, plan.strategy, plan.start
    assert strategy is not None
    assert start is not None
    model, processor = _load(start)
    vision = FrozenVision(start.name, model, processor)
    module = _trainable(model, strategy, config)
    module.load_state_dict(state)
    vision.restore(model)
    if config.lora:
        model = module.model.merge_and_unload()
    if isinstance(model, MiniForConditionalGeneration):
        model = model.half()  # halves the shipped file; answers are computed in single precision
    save_checkpoint(model, processor, folder)
