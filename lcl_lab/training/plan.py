"""A training run whose options have been checked and whose names have been resolved; imports no torch."""

from __future__ import annotations

import os
from dataclasses import dataclass

from lcl_lab.concepts import Dataset, load_dataset
from lcl_lab.concepts.neighbours_file import neighbour_indices
from lcl_lab.errors import UserError
from lcl_lab.models import Checkpoint, find_checkpoint
from lcl_lab.strategies import Strategy, find_strategy
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
    """

    config: TrainConfig
    strategy: Strategy | None
    dataset: Dataset | None
    start: Checkpoint | None

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
        check_batch(config.batch, config.accumulate)
    if config.strategy == VISION and config.snapshot_every is not None:
        reason = "a CLIP has no snapshots: they are models with a decoder"
        raise UserError(reason, option="snapshot_every", value=config.snapshot_every)
    if config.steps is not None and (config.snapshot_every or 0) > config.steps:
        reason = f"must be at most the {config.steps} steps, or there is no snapshot"
        raise UserError(reason, option="snapshot_every", value=config.snapshot_every)
    _check_parts(config)
    if config.strategy == VISION:
        _check_ways(config, draws_episodes=False)
        return TrainingPlan(config, None, None, None)
    strategy = find_strategy(config.strategy, also=(VISION,))
    dataset = load_dataset(config.data)
    _check_images(config.data, dataset)
    _check_ways(config, strategy.needs_links, len(dataset.concepts))
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
    return TrainingPlan(config, strategy, dataset, start)


def check_batch(batch: int, accumulate: int) -> None:
    """Check that every process has a prompt in every gradient accumulation step.

    Args:
        batch: prompts per step over all processes.
        accumulate: gradient accumulation steps.

    Raises:
        UserError: the batch is too small.
    """
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    least = accumulate * processes
    if batch < least:
        reason = f"must be at least {least}, one prompt for each of {processes} × {accumulate} parts"
        raise UserError(f"{reason} (processes × accumulate)", option="batch", value=batch)


def _check_images(name: str, dataset: Dataset) -> None:
    fewest = min(dataset.concepts.values(), key=lambda concept: concept.images)
    if fewest.images < _FEWEST_IMAGES:
        reason = f"concept {fewest.name!r} has {fewest.images} images; 16 shots need {_FEWEST_IMAGES}"
        raise UserError(reason, option="data", value=name)


def _check_parts(config: TrainConfig) -> None:
    """Options that belong together; whether a model has such parts is checked with its config, see `check_network`."""
    if config.strategy == VISION:
        given = next((name for name in ("train", "lora") if getattr(config, name)), None)
        if given:
            raise UserError("the vision encoder is trained as a whole; leave it out", option=given)
    if not config.lora:
        given = next((name for name in ("lora_targets", "merge", "quantize") if getattr(config, name)), None)
        if given:
            raise UserError("is about LoRA adapters; give lora, the rank, as well", option=given)
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
