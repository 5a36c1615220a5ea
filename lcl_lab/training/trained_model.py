"""Training as a function call: check the options, train, write the checkpoint with its chart and its card."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lcl_lab import evaluation, figures, training
from lcl_lab.atomic import write_json
from lcl_lab.errors import UserError
from lcl_lab.models.checkpoint import CARD, TRAINING, fingerprint
from lcl_lab.training.identity import CHECKPOINTS, open_folder, training_identity
from lcl_lab.training.log import METRICS_FILE, TrainingLog
from lcl_lab.training.plan import TrainingPlan, check_training
from lcl_lab.training.train_config import TrainConfig

__all__ = ["TrainedModel", "train_model"]

Report = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, repr=False)
class TrainedModel:
    """A finished training run.

    Attributes:
        path: folder of the checkpoint; `load_model(str(path))` loads it.
        card: contents of its `card.json`: fingerprint, what it was trained on and how, steps, seconds. Empty in
            processes of a distributed training other than the main one.
    """

    path: Path
    card: Mapping[str, Any]

    @property
    def metrics(self) -> pd.DataFrame:
        """The log: step, loss (nats per token), tokens per second, accuracy, loss on held-out tasks, seconds."""
        return pd.read_json(self.path / METRICS_FILE, lines=True)

    def __repr__(self) -> str:
        if not self.card:
            return f"TrainedModel({str(self.path)!r})"
        facts = f"{self.card['strategy']}, {self.card['steps']} steps, {self.card['seconds']} s"
        return f"TrainedModel({str(self.path)!r}: {facts}, fingerprint {self.card['fingerprint']})"


def train_model(
    config: TrainConfig | None = None, *, preset: str | None = None, report: Report | None = None, **options: Any
) -> TrainedModel:
    """Train a model by a strategy. A run that was killed resumes from its last checkpoint, to the same weights.

    Args:
        config: the options; alternatively give them as keyword arguments.
        preset: a preset of `TrainConfig`, such as ``"tiny"``.
        report: receives every line of the log as a dict with ``step``, ``steps``, ``seconds``, and ``loss`` (nats per
            token) with ``tokens_per_second``, or ``accuracy`` on held-out episodes with, if there is a file of tasks,
            ``tasks_loss`` on held-out ones.
        **options: fields of `TrainConfig`, such as ``strategy="mix", out="training/mix"``; they take precedence over
            those of `config`.

    Returns:
        The trained model.

    Raises:
        UserError: training with these options is not possible, the output folder contains something else, or another
            process trains into it.
    """
    plan = check_training(_config(config, preset, options))
    if plan.start is not None:
        training.check_network(plan)
    if plan.config.workers > 1:
        if "WORLD_SIZE" in os.environ:
            reason = "accelerate launch has started the processes; leave it out"
            raise UserError(reason, option="workers", value=plan.config.workers)
        evaluation.check_workers(plan.config.workers, None)
    identity = training_identity(plan)
    out = plan.config.out
    if not _is_main_process():
        _train(plan, report)
        return TrainedModel(out, {})
    with open_folder(out, identity, plan.config.overwrite):
        steps, seconds = _train(plan, report)
        _save_figure(out, plan.config.strategy)
        card = {
            "fingerprint": fingerprint(out),
            **identity,
            "command": _command(plan.config),
            "steps": steps,
            "seconds": round(seconds),
        }
        write_json(out / CARD, card)
        shutil.rmtree(out / CHECKPOINTS, ignore_errors=True)
        (out / TRAINING).unlink()
    return TrainedModel(out, card)


def _config(config: TrainConfig | None, preset: str | None, options: Mapping[str, Any]) -> TrainConfig:
    if config is None:
        return TrainConfig.create(preset, None, **options)
    if preset is not None:
        raise UserError("give it when creating the config", option="preset", value=preset)
    return TrainConfig.create(None, None, **{**config.model_dump(), **options}) if options else config


def _is_main_process() -> bool:
    """Under `accelerate launch` every process runs the same call."""
    return os.environ.get("RANK", "0") == "0"


def _train(plan: TrainingPlan, report: Report | None) -> tuple[int, float]:
    """Train here or on workers; the number of steps, and the seconds."""
    if plan.config.workers > 1:
        trained = training.train_on_workers(plan.config, plan.threads, report)
        return trained.steps, trained.seconds
    log = TrainingLog(plan.config.out, plan.config.strategy, report)
    if plan.strategy is None:
        training.train_clip(plan, log)
    else:
        training.train_strategy(plan, log)
    return log.done, log.seconds


def _save_figure(out: Path, title: str) -> None:
    metrics = pd.read_json(out / METRICS_FILE, lines=True)
    if len(metrics):
        figures.training_figure(metrics, title).save(out, "training")


def _command(config: TrainConfig) -> str:
    """The command line that trains the same model."""
    words = ["python", "-m", "lcl_lab.train"]
    for name, field in TrainConfig.model_fields.items():
        value = getattr(config, name)
        if name != "overwrite" and value != field.default:
            words += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    return shlex.join(words)
