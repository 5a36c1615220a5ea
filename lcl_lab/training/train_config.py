"""Options of a training run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from lcl_lab import concepts, strategies
from lcl_lab.config import Config, Presets, Threads
from lcl_lab.errors import UserError

__all__ = ["LANGUAGE", "PARTS", "TrainConfig"]

LANGUAGE = "language"
PARTS = (LANGUAGE, "projector", "vision")
"""Parts of a model that can be trained or frozen; `TrainConfig.train` also accepts the names of its modules."""

_MOST_PROMPTS = 65_536  # of a step, which are in memory at once
_MOST_IMAGES = 100_000  # of a kind in the rendered corpus, which is in memory as a whole


def _strategy_name(value: Any) -> Any:
    return value if isinstance(value, str) else strategies.register_strategy(value).name


def _start_name(value: Any) -> Any:
    """Names stay; what has a path (a checkpoint, a trained model) is known by it."""
    if value is None or isinstance(value, str):
        return value
    path = getattr(value, "path", value)
    if not isinstance(path, Path):
        reason = f"must be the name or folder of a checkpoint; a {type(value).__name__} cannot be trained"
        raise UserError(reason, option="start")
    return str(path)


class TrainConfig(Config):
    """Options of a training run.

    `strategy` and `data` also accept a `Strategy` and a `Dataset`, which are registered under their names; `start`
    accepts a path, a `Checkpoint` or a `TrainedModel`.
    """

    PRESETS: ClassVar[Presets] = {
        "default": {},
        "tiny": {
            "data": "world-dev",
            "steps": 4,
            "batch": 4,
            "evaluate_every": 2,
            "held_out_queries": 8,
            "images": 9,
            "groups": 40,
            "known_images": 8,
        },
    }

    strategy: Annotated[str, BeforeValidator(_strategy_name)] = Field(
        description="vision, base, 2-way, 2-way-random, 2-way-weight, mix, in-context, fixed-2 … fixed-16, "
        "policy_2way_weight, policy_2way_random_shot or a Python file"
    )
    out: Path = Field(description="folder of the trained checkpoint")
    start: Annotated[str | None, BeforeValidator(_start_name)] = Field(
        None, description="model to start from (default: the shipped model that the strategy builds on)"
    )
    data: Annotated[str, BeforeValidator(concepts.dataset_name)] = Field("world-900", description="dataset to train on")
    neighbours: Path | None = Field(
        None, description="file of hard negatives, such as train900_pairs.jsonl (default: mined with clip)"
    )
    tasks: Path | None = Field(
        None,
        description="instruction data as the original tasks that mix and the like draw: LLaVA's JSON, JSON lines of "
        "messages, Parquet, or a folder of datasets.save_to_disk (default: tasks about rendered images, for the "
        "embedded model only)",
    )
    task_images: Path | None = Field(None, description="folder of the images of tasks (default: the folder of tasks)")
    tasks_share: float | None = Field(
        None, gt=0, lt=1, description="share of prompts that are original tasks (default: that of the strategy)"
    )
    task_tokens: int | None = Field(
        None,
        ge=1,
        description="tokens of a prompt from tasks with its answer, at most; longer ones are left out (default: the "
        "context of the model)",
    )
    ways: int = Field(2, ge=2, le=100, description="concepts in the support of training episodes")
    names: concepts.Naming = Field(
        "letters",
        description="names of positives: up to 10 random letters as in the paper, or forms: words, several words, "
        "digits, hyphens, accents",
    )
    noticing_steps: int | None = Field(
        None,
        ge=1,
        description="steps of the first stage, in which an embedded model discovers that names belong to images "
        "(default: that of the strategy)",
    )
    held_out: str = Field("world-dev", description="dataset of the held-out episodes that show how far training is")
    clip: str = Field("mini/prototype", description="model that mines hard negatives; see lcl_lab.neighbours")
    seed: int = Field(0, ge=0, description="random seed")
    steps: int | None = Field(
        None, ge=1, description="optimizer steps (default: those of the strategy; 2000 for other architectures)"
    )
    batch: int | None = Field(
        None,
        ge=1,
        le=_MOST_PROMPTS,
        description="prompts per step over all processes, or groups of images for vision (default: that of the "
        "strategy; 4 for other architectures)",
    )
    accumulate: int = Field(1, ge=1, le=_MOST_PROMPTS, description="gradient accumulation steps")
    learning_rate: float | None = Field(
        None,
        gt=0,
        description="peak learning rate (default: that of the strategy; for other architectures 2e-5, 2e-4 with lora)",
    )
    train: tuple[str, ...] = Field(
        (),
        description="parts to train: language, projector, vision, or names of modules, with * for any text "
        "(default: language and projector); all others are frozen",
    )
    lora: int | None = Field(
        None, ge=1, le=65_536, description="train LoRA adapters of this rank instead of the language model's weights"
    )
    lora_targets: tuple[str, ...] = Field(
        (),
        description="linear layers that get adapters, such as q_proj v_proj (default: all of the language model's "
        "attention)",
    )
    merge: bool = Field(False, description="add the trained adapters to the weights; default: store them alone")
    quantize: bool = Field(False, description="keep frozen weights in 4 bits (QLoRA); needs lora and a GPU")
    every_answer: bool = Field(False, description="compute the loss on every answer of a dialogue, not only the last")
    target: float | None = Field(None, gt=0, le=1, description="stop when the held-out accuracy reaches this value")
    evaluate_every: int = Field(200, ge=1, description="steps between two evaluations on held-out episodes")
    held_out_queries: int = Field(100, ge=1, le=100_000, description="held-out episodes of an evaluation")
    checkpoint_every: int = Field(100, ge=1, description="steps between two checkpoints")
    snapshot_every: int | None = Field(
        None, ge=1, description="steps between two snapshots: complete models in snapshots/ of the output folder"
    )
    images: int = Field(32, ge=9, description="images per concept that training episodes are drawn from")
    groups: int | None = Field(
        None,
        ge=1,
        le=_MOST_IMAGES,
        description="groups of look-alikes in the rendered corpus of the original tasks (default: 5000; 20000 for "
        "vision)",
    )
    known_images: int = Field(256, ge=1, le=_MOST_IMAGES, description="images of each known object in that corpus")
    threads: Threads | None = Field(None, description="CPU threads (default: one per core)")
    workers: Threads = Field(
        1, description="processes that share each batch, on this machine or the cluster at RAY_ADDRESS"
    )
    fsdp: bool = Field(False, description="shard the weights over the workers (FSDP) instead of copying them")
    overwrite: bool = Field(False, description="replace another model or unfinished training in the output folder")
