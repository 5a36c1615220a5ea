"""A training run whose options have been checked and whose names have been resolved; imports no torch."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from lcl_lab.concepts import Dataset, load_dataset
from lcl_lab.concepts.neighbours_file import neighbour_indices
from lcl_lab.errors import UserError
from lcl_lab.models import Checkpoint, find_checkpoint
from lcl_lab.models.checkpoint import is_embedded
from lcl_lab.strategies import Stage, Strategy, TrainingData, find_strategy
from lcl_lab.training.instruction_tasks import InstructionTasks, open_tasks
from lcl_lab.training.train_config import LANGUAGE, TrainConfig

__all__ = ["VISION", "TrainingPlan", "check_batch", "check_training"]

VISION = "vision"
"""The strategy that trains the embedded vision encoder; it has no prompts and starts from random weights."""
_FEWEST_IMAGES = 9  # 16 shots and a query of two concepts


@dataclass(frozen=True)
class TrainingPlan:
    """What a training run needs, except loaded weights.

    Attributes:
        config: the options.
        strategy: the strategy; None for the vision encoder.
        dataset: the concepts of training episodes; None for the vision encoder.
        start: the model to start from; None for the vision encoder.
        held_out: the concepts of held-out episodes; None for the vision encoder.
        tasks: the instruction data that is given as the original tasks, if any.
    """

    config: TrainConfig
    strategy: Strategy | None
    dataset: Dataset | None
    start: Checkpoint | None
    held_out: Dataset | None = None
    tasks: InstructionTasks | None = None

    @property
    def threads(self) -> int:
        """CPU threads to use."""
        return self.config.threads or os.cpu_count() or 1


def check_training(config: TrainConfig) -> TrainingPlan:
    """Check the options of a training run. Nothing is written, no weights are loaded.

    Args:
        config: the options.

    Returns:
        The run with its strategy, dataset and start model.

    Raises:
        UserError: training with these options is not possible.
    """
    if config.batch is not None:
        check_batch(config.batch, config.accumulate, config.workers)
    if config.strategy == VISION and config.snapshot_every is not None:
        reason = "a CLIP has no snapshots: they are models with a decoder"
        raise UserError(reason, option="snapshot_every", value=config.snapshot_every)
    if config.steps is not None and (config.snapshot_every or 0) > config.steps:
        reason = f"must be at most the {config.steps} steps, or there is no snapshot"
        raise UserError(reason, option="snapshot_every", value=config.snapshot_every)
    if config.strategy == VISION and config.workers > 1:
        reason = "the loss of the vision encoder compares all of a batch; leave it out"
        raise UserError(reason, option="workers", value=config.workers)
    if config.fsdp and config.workers == 1:
        raise UserError("shards weights over workers; give workers, too, such as 2", option="fsdp")
    if config.fsdp and config.quantize:
        raise UserError("weights in 4 bits cannot be sharded; leave out one of the two", option="quantize and fsdp")
    _check_parts(config)
    if config.strategy == VISION:
        _check_ways(config, draws_episodes=False)
        _check_task_options(config, draws_tasks=False, draws_episodes=False)
        return TrainingPlan(config, None, None, None)
    strategy = find_strategy(config.strategy, also=(VISION,))
    dataset = load_dataset(config.data)
    _check_images(config.data, dataset)
    _check_ways(config, strategy.needs_links, len(dataset.concepts))
    _check_task_options(config, strategy.needs_tasks, strategy.needs_links)
    if config.neighbours:
        neighbour_indices(config.neighbours, dataset)
    elif strategy.needs_links and ":" not in config.clip:
        find_checkpoint(config.clip, option="clip")
    start = find_checkpoint(config.start or f"mini/{strategy.start}", option="start")
    if start.model is not None or start.base_url is not None:
        raise UserError("only the folder of a checkpoint can be trained", option="start", value=start.name)
    if start.adapter is not None and config.lora and not config.merge:
        reason = "is an adapter, which new adapters would have to be stored with; give merge"
        raise UserError(reason, option="start", value=start.name)
    held_out = _load_held_out(config)
    return TrainingPlan(config, strategy, dataset, start, held_out, _open_tasks(config, strategy, start))


def _load_held_out(config: TrainConfig) -> Dataset:
    try:
        return load_dataset(config.held_out)
    except UserError as error:
        raise UserError(error.reason, option="held_out", value=config.held_out) from error


def check_batch(batch: int, accumulate: int, workers: int = 1) -> None:
    """Check that every process has a prompt in every gradient accumulation step.

    Args:
        batch: prompts per step over all processes.
        accumulate: gradient accumulation steps.
        workers: processes that will be started.

    Raises:
        UserError: the batch is too small.
    """
    processes = max(workers, int(os.environ.get("WORLD_SIZE", "1")))
    least = accumulate * processes
    if batch < least:
        reason = f"must be at least {least}, one prompt for each of {processes} × {accumulate} parts"
        raise UserError(f"{reason} (processes × accumulate)", option="batch", value=batch)


def _check_task_options(config: TrainConfig, draws_tasks: bool, draws_episodes: bool) -> None:
    for option in ("tasks", "task_images", "task_tokens", "tasks_share"):
        value = getattr(config, option)
        if value is not None and not draws_tasks:
            raise UserError(f"{config.strategy} draws no original tasks; leave it out", option=option, value=value)
    if config.task_images is not None and config.tasks is None:
        raise UserError("is the folder of the images of tasks; give tasks, too", option="task_images")
    if config.task_tokens is not None and config.tasks is None:
        raise UserError("limits the conversations of tasks; give tasks, too", option="task_tokens")
    if config.tasks_share is not None and not draws_episodes:
        reason = f"{config.strategy} draws only original tasks; leave it out"
        raise UserError(reason, option="tasks_share", value=config.tasks_share)


def _open_tasks(config: TrainConfig, strategy: Strategy, start: Checkpoint) -> InstructionTasks | None:
    if config.tasks is None:
        if strategy.needs_tasks and not is_embedded(start):
            reason = f"{config.strategy} draws original tasks, which {start.name} has no file of; give instruction data"
            raise UserError(f"{reason}, such as llava_v1_5_mix665k.json", option="tasks")
        return None
    tasks = open_tasks(config.tasks, config.task_images)
    if not strategy.needs_links:
        # Without episodes to load, drawing is cheap, and a strategy may need what instruction data does not have.
        for stage in strategy.stages:
            _try_draw(stage, tasks)
    return tasks


def _try_draw(stage: Stage, tasks: InstructionTasks) -> None:
    try:
        stage.draw(TrainingData(None, tasks), np.random.default_rng(0))
    except Exception as error:  # what else the code of a user raises is reported before training starts
        if isinstance(error, UserError):
            raise


def _check_images(name: str, dataset: Dataset) -> None:
    fewest = min(dataset.concepts.values(), key=lambda concept: concept.images)
    if fewest.images < _FEWEST_IMAGES:
        reason = f"concept {fewest.name!r} has {fewest.images} images; 16 shots need {_FEWEST_IMAGES}"
        raise UserError(reason, option="data", value=name)


def _check_parts(config: TrainConfig) -> None:
    """Options that belong together; whether a model has such parts is checked with its config, see `check_network`."""
    if config.strategy == VISION:
        option = next((name for name in ("train", "lora") if getattr(config, name)), None)
        if option:
            raise UserError("the vision encoder is trained as a whole; leave it out", option=option)
    if not config.lora:
        option = next((name for name in ("lora_targets", "merge", "quantize") if getattr(config, name)), None)
        if option:
            raise UserError("is about LoRA adapters; give lora, the rank, as well", option=option)
    elif config.train and LANGUAGE not in config.train:
        reason = f"adapters train the language model; add {LANGUAGE}, or leave out lora"
        raise UserError(reason, option="train", value=config.train)
    if config.merge and config.quantize:
        raise UserError("adapters cannot be added to weights in 4 bits; leave it out", option="merge")


def _check_ways(config: TrainConfig, draws_episodes: bool, concepts: int = 0) -> None:
    if config.ways == 2:
        return
    if not draws_episodes:
        raise UserError(f"{config.strategy} draws no episodes; leave it out", option="ways", value=config.ways)
    if config.ways > concepts:
        reason = f"{config.data} has {concepts} concepts; give at most {concepts}"
        raise UserError(reason, option="ways", value=config.ways)
