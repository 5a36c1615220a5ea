"""Trains one model by one strategy: the embedded model, or any other image-text model, in full or with LoRA."""

from __future__ import annotations

import logging
import math
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from transformers.utils import logging as transformers_logging

from lcl_lab.concepts import World
from lcl_lab.errors import UserError
from lcl_lab.prompts import Prompt
from lcl_lab.strategies import Stage, Strategy, TrainingData
from lcl_lab.training.augmentation import FeatureAugmentation
from lcl_lab.training.data import DataConfig, LoadedData, load_training_data
from lcl_lab.training.feature_bank import ImageFeatures
from lcl_lab.training.held_out import LossModel, held_out_accuracy, held_out_design, held_out_loss
from lcl_lab.training.identity import SNAPSHOTS
from lcl_lab.training.instruction_tasks import InstructionTasks, TokenLimit
from lcl_lab.training.log import TrainingLog
from lcl_lab.training.loop import LoopConfig, MicroBatch, cpu_threads, fit, processes, shards_weights
from lcl_lab.training.loss import BatchBuilder
from lcl_lab.training.network import Network
from lcl_lab.training.plan import TrainingPlan, check_batch
from lcl_lab.training.task_share import with_task_share
from lcl_lab.training.task_template import check_template
from lcl_lab.training.train_config import TrainConfig
from lcl_lab.type_checks import check_type

__all__ = ["train_strategy"]

_log = logging.getLogger(__name__)
_HELD_OUT_TASKS = 64
_LENGTHS = 32  # prompts of which the one with the most images is measured
_TASKS_BATCH = 4  # conversations may have thousands of tokens


def train_strategy(plan: TrainingPlan, log: TrainingLog) -> None:
    """Train a model and write it as a checkpoint of `transformers`. A run that was killed resumes.

    Args:
        plan: the run, with a strategy, a dataset and a start model.
        log: the log in the output folder.

    Raises:
        UserError: the start model cannot be loaded or trained, or a checkpoint cannot be written.
    """
    config, strategy = plan.config, plan.strategy
    assert strategy is not None
    with cpu_threads(plan.threads), _no_progress_bar():
        torch.manual_seed(config.seed)
        network = Network(plan)
        if not shards_weights():  # of which no process may have room for all
            (network.vision or network.module).to(processes().device)
        network.check()
        data = load_training_data(strategy, _data_config(plan), network.vision, plan.threads, network.embedded)
        stages = _stages(strategy, config, network.embedded)
        if config.tasks_share is not None:
            stages = with_task_share(stages, config.tasks_share)
        for stage in stages:
            check_batch(stage.batch, config.accumulate, config.workers)
        split = processes().num_processes * config.accumulate
        builders = [
            network.builder(
                data,
                _augmented(data, _noise(plan, stage)),
                config.every_answer,
                prompts=math.ceil(stage.batch / split) if split > 1 else None,
            )
            for stage in stages
        ]

        tasks = _fitting_tasks(plan, network.context, builders[0])
        prompts = replace(data.prompts, _tasks=tasks) if tasks else data.prompts

        def build(step: int, part: int, parts: int) -> list[MicroBatch]:
            number = _stage_number(stages, step)
            stage = stages[number]
            generators = [np.random.default_rng([config.seed, 3, step, i]) for i in range(part, stage.batch, parts)]
            drawn = [(stage.draw(prompts, rng), rng) for rng in generators]
            return [batch for _, batch in builders[number].batches(drawn)]

        if plan.tasks:
            check_template(plan.tasks, network.processor)
        _check_draws(stages, prompts)
        _warn_of_long_episodes(plan, stages[-1], prompts, network.context, builders[-1])
        assert plan.held_out is not None
        design = held_out_design(plan.held_out, config.held_out_queries, config.ways)
        builder = network.builder(data, data.features)
        held_out = tasks.held_out(_HELD_OUT_TASKS) if tasks else []

        def evaluate(wrapped: nn.Module, device: torch.device) -> float:
            if held_out:
                log.tasks_loss = held_out_loss(LossModel(wrapped, builder, device, _TASKS_BATCH), held_out)
            return held_out_accuracy(LossModel(wrapped, builder, device), design)

        loop = _loop_config(strategy, config, sum(stage.steps for stage in stages), network.embedded)

        def snapshot(step: int, weights: dict[str, Tensor]) -> None:
            with torch.random.fork_rng():  # building the model draws weights, which must not move the training's draws
                _save_snapshot(network, weights, config.out / SNAPSHOTS / f"step-{step:06}")

        state = fit(network.module, build, loop, log, evaluate, snapshot)
        if state is not None:
            network.save(state, config.out)


def _augmented(data: LoadedData, noise: float) -> ImageFeatures | None:
    if data.features is None or not data.means:
        return data.features
    return FeatureAugmentation(data.features, data.means, noise)


def _noise(plan: TrainingPlan, stage: Stage) -> float:
    """The noise of a stage, which helps in the embedded world only.

    On drawings it hides what tells concepts apart (unseen emoji, 4 shots, 250 steps after the first stage: 0.64 with
    noise, 0.79 without).
    """
    return stage.noise if isinstance(plan.dataset, World) else 0.0


def _fitting_tasks(plan: TrainingPlan, context: int | None, builder: BatchBuilder) -> InstructionTasks | None:
    """The tasks without conversations that the model, or the user, has no room for."""
    limits = [limit for limit in (plan.config.task_tokens, context) if limit is not None]
    return plan.tasks.within(TokenLimit(min(limits), builder.tokens)) if plan.tasks and limits else plan.tasks


def _warn_of_long_episodes(
    plan: TrainingPlan, stage: Stage, prompts: TrainingData, context: int | None, builder: BatchBuilder
) -> None:
    """Say so if a strategy draws prompts that the evaluation of the model would refuse.

    Training on them is possible, since rotary positions have no last one.
    """
    drawn = [stage.draw(prompts, np.random.default_rng([plan.config.seed, 4, number])) for number in range(_LENGTHS)]
    longest = max(drawn, key=lambda prompt: len(prompt.images))
    tokens = builder.tokens(longest)
    if context is not None and tokens > context:
        template = "%s draws prompts of %d tokens, and more than the context of the model, %d, cannot be evaluated"
        _log.warning(template, plan.config.strategy, tokens, context)


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


def _data_config(plan: TrainingPlan) -> DataConfig:
    assert plan.dataset is not None
    assert plan.held_out is not None
    config = plan.config
    return DataConfig(
        dataset=plan.dataset,
        held_out=plan.held_out,
        neighbours=config.neighbours,
        clip=config.clip,
        images=config.images,
        groups=config.groups or DataConfig.groups,
        known_images=config.known_images,
        ways=config.ways,
        names=config.names,
        tasks=plan.tasks,
    )


def _stages(strategy: Strategy, config: TrainConfig, embedded: bool) -> tuple[Stage, ...]:
    """All stages for the embedded model; only the last one for others, or when the number of steps is given."""
    last = strategy.stages[-1]
    if not embedded:
        return (Stage(config.steps or 2000, config.batch or 4, last.draw),)
    stages = strategy.stages if config.steps is None else (replace(last, steps=config.steps),)
    if config.noticing_steps is not None:
        stages = (replace(stages[0], steps=config.noticing_steps), *stages[1:])
    return tuple(replace(stage, batch=config.batch or stage.batch) for stage in stages)


def _stage_number(stages: tuple[Stage, ...], step: int) -> int:
    """The position of the stage of a step."""
    ends = np.cumsum([stage.steps for stage in stages])
    return int(np.searchsorted(ends, step, side="right"))


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


def _save_snapshot(network: Network, weights: dict[str, Tensor], path: Path) -> None:
    """Write `snapshots/step-000100` and so on, each complete or not at all."""
    part = path.with_name(f".{path.name}.part")
    network.save(weights, part)
    shutil.rmtree(path, ignore_errors=True)  # one that a killed process wrote after its last checkpoint
    os.replace(part, path)
