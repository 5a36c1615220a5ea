"""What trained weights depend on, by content: decides whether an unfinished training may be resumed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from lcl_lab.atomic import canonical_json, read_json, reporting_os_errors, write_json
from lcl_lab.errors import UserError
from lcl_lab.file_locks import locked
from lcl_lab.models import find_checkpoint
from lcl_lab.models.checkpoint import CARD, TRAINING
from lcl_lab.plugins import file_fingerprint, is_file
from lcl_lab.strategies import strategy_fingerprint
from lcl_lab.training.plan import TrainingPlan
from lcl_lab.training.train_config import TrainConfig

__all__ = ["CHECKPOINTS", "SNAPSHOTS", "is_trained_as", "open_folder", "training_identity"]

CHECKPOINTS = "checkpoints"
SNAPSHOTS = "snapshots"
_LOCK = "training.lock"
_SETTINGS = (
    "seed",
    "steps",
    "batch",
    "learning_rate",
    "lora",
    "every_answer",
    "target",
    "evaluate_every",
    "held_out_queries",
    "images",
    "groups",
    "known_images",
)
# Identities have these where they are not the default.
_LATER_SETTINGS = (
    "train",
    "lora_targets",
    "merge",
    "quantize",
    "fsdp",
    "tasks_share",
    "task_tokens",
    "names",
    "noticing_steps",
)
_HELD_OUT = "held_out"
_CONTENT = "content"
_WAYS = 2  # of trainings whose identity has no number of ways


def training_identity(plan: TrainingPlan) -> dict[str, Any]:
    """Everything that the trained weights depend on.

    Files, models, datasets and strategies count by their content (`"content"` and the fingerprints); the names that
    they have at the moment are for readers of the card.

    Args:
        plan: the training run.

    Returns:
        A JSON object. It becomes part of the card of the trained model.
    """
    config, start = plan.config, plan.start
    return {
        "strategy": config.strategy,
        **{name: getattr(config, name) for name in _SETTINGS},
        **({"ways": config.ways} if config.ways != _WAYS else {}),
        **{name: getattr(config, name) for name in _LATER_SETTINGS if not _is_default(config, name)},
        **({_HELD_OUT: plan.held_out.fingerprint} if plan.held_out and not _is_default(config, _HELD_OUT) else {}),
        "start": {"name": start.name, "fingerprint": start.fingerprint} if start else None,
        "data": plan.dataset.fingerprint if plan.dataset else None,
        "neighbours": str(config.neighbours or config.clip),
        _CONTENT: {
            "strategy": _strategy_content(plan),
            "neighbours": _neighbours_content(plan),
            **({"tasks": plan.tasks.fingerprint} if plan.tasks else {}),
        },
    }


@contextmanager
def open_folder(out: Path, identity: Mapping[str, Any], overwrite: bool) -> Iterator[None]:
    """Create the folder of a training run, or resume the run that it contains, and hold it while the block runs.

    Args:
        out: the folder.
        identity: the run's identity.
        overwrite: whether to replace what is in the folder.

    Raises:
        UserError: the folder cannot be created, contains a model or another training, or another process trains into
            it; nothing is written then.
    """
    _resumes(out, identity, overwrite)  # before the lock, which is a file in the folder
    with reporting_os_errors("write", out):
        out.mkdir(parents=True, exist_ok=True)
    message = "another process trains into this folder; wait for it, stop it, or choose another folder"
    with locked(out / _LOCK, message, option="out", value=out):
        if overwrite and not _resumes(out, identity, overwrite):
            for path in (out / CHECKPOINTS, out / SNAPSHOTS, out / CARD):
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        write_json(out / TRAINING, identity)
        yield


def is_trained_as(card: Mapping[str, Any], plan: TrainingPlan) -> bool:
    """Whether the card of a finished model is that of this training run.

    Only what the card states is compared: cards of earlier versions state less.
    """
    identity = json.loads(canonical_json(training_identity(plan)))
    compared = [name for name in identity if name in card and name != "neighbours"]  # a path; its content is compared
    same_ways = card.get("ways", _WAYS) == plan.config.ways
    same_later = all(card.get(name) == identity.get(name) for name in (*_LATER_SETTINGS, _HELD_OUT))
    same_tasks = card.get(_CONTENT, {}).get("tasks") == identity[_CONTENT].get("tasks")
    return same_ways and same_later and same_tasks and all(card[name] == identity[name] for name in compared)


def _resumes(out: Path, identity: Mapping[str, Any], overwrite: bool) -> bool:
    """Whether a folder contains this training, unfinished; raises if its content is in the way."""
    begun = read_json(out / TRAINING)
    if begun is None and not overwrite and ((out / TRAINING).exists() or (out / CHECKPOINTS).exists()):
        reason = f"contains an unfinished training whose {TRAINING} is damaged or missing; overwrite to restart"
        raise UserError(reason, option="out", value=out)
    differences = list(_differences(begun, identity)) if begun is not None else []
    resumes = begun is not None and not differences
    if differences and not overwrite:
        reason = f"another training was begun there: {differences[0]}; choose another folder, or overwrite to restart"
        raise UserError(reason, option="out", value=out)
    has_model = any((out / name).exists() for name in ("config.json", "adapter_config.json"))
    if has_model and not (resumes or overwrite):
        raise UserError("contains a model; choose another folder, or overwrite", option="out", value=out)
    return resumes


def _strategy_content(plan: TrainingPlan) -> str:
    if is_file(plan.config.strategy):
        return file_fingerprint(plan.config.strategy)
    return strategy_fingerprint(plan.strategy) if plan.strategy else plan.config.strategy


def _neighbours_content(plan: TrainingPlan) -> str | None:
    """The file of hard negatives, or the model that mines them; None for a strategy that needs none."""
    if plan.strategy is None or not plan.strategy.needs_links:
        return None
    if plan.config.neighbours:
        return _file_hash(plan.config.neighbours)
    clip = plan.config.clip
    _, colon, weights = clip.partition(":")
    if colon:
        return f"{clip.partition(':')[0]}:{_file_hash(Path(weights))}" if Path(weights).is_file() else clip
    return find_checkpoint(clip, option="clip").fingerprint


def _file_hash(path: Path) -> str:
    with reporting_os_errors("read", path):
        return sha256(path.read_bytes()).hexdigest()[:16]


def _differences(begun: Mapping[str, Any], identity: Mapping[str, Any]) -> Iterator[str]:
    """What differs between an unfinished training and this one, most telling first."""
    old, new = begun.get(_CONTENT), identity[_CONTENT]
    if not isinstance(old, dict):
        yield "by an earlier version of LCL Lab"
        return
    if old.get("strategy") != new["strategy"]:
        yield _changed("strategy", begun.get("strategy"), identity["strategy"])
    old_start, new_start = begun.get("start") or {}, identity["start"] or {}
    if old_start.get("fingerprint") != new_start.get("fingerprint"):
        yield _changed("start", old_start.get("name"), new_start.get("name"))
    if begun.get("data") != identity["data"]:
        yield "the dataset has changed since"
    if old.get("neighbours") != new["neighbours"]:
        yield _changed("neighbours", begun.get("neighbours"), identity["neighbours"])
    old_ways, new_ways = begun.get("ways", _WAYS), identity.get("ways", _WAYS)
    if old_ways != new_ways:
        yield f"ways was {old_ways}, now {new_ways}"
    old_tasks, new_tasks = old.get("tasks"), new.get("tasks")
    if old_tasks != new_tasks:
        yield "the tasks have changed since" if old_tasks and new_tasks else "only one of the two has a file of tasks"
    for name in (*_SETTINGS, *_LATER_SETTINGS, _HELD_OUT):
        before, now = (canonical_json(one.get(name)) for one in (begun, identity))
        if before != now:
            yield f"{name} was {begun.get(name)}, now {identity.get(name)}"


def _is_default(config: TrainConfig, name: str) -> bool:
    return bool(getattr(config, name) == type(config).model_fields[name].default)


def _changed(what: str, old: object, new: object) -> str:
    return f"{what} {new} has changed since" if old == new else f"{what} was {old}, now {new}"
