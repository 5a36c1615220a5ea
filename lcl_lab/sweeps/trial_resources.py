"""What a trial reserves on a cluster: one bundle of CPU cores and GPUs for each worker of its largest part."""

from __future__ import annotations

from lcl_lab.sweeps.sweep_config import SweepConfig
from lcl_lab.sweeps.trial import TrainingTrial

__all__ = ["needs_one_node", "trial_bundles"]


def trial_bundles(config: SweepConfig) -> list[dict[str, float]]:
    """The bundles of each trial of a sweep, such as ``[{"CPU": 1.0, "GPU": 0.5}]``; all trials need the same.

    The process of the trial uses the first bundle, and leaves it to a worker where the training or a study has several.

    Args:
        config: the sweep, with `cpu` and `gpu` of a worker.
    """
    trials = config.probes() or config.trials()  # the largest numbers of workers are among the ends of ranges
    parts = [options.workers for trial in trials for _, options in trial.evaluations]
    workers = max([*parts, _training_workers(config)])
    return [{"CPU": float(config.cpu), "GPU": config.gpu}] * workers


def needs_one_node(config: SweepConfig) -> bool:
    """Whether all workers of a trial need the same disk: those of a training, where nodes share only a storage."""
    return config.storage is not None and _training_workers(config) > 1


def _training_workers(config: SweepConfig) -> int:
    trials = config.probes() or config.trials()
    return max((trial.training.workers for trial in trials if isinstance(trial, TrainingTrial)), default=1)
