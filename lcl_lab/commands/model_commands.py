"""The commands that make models and their data: training, mining hard negatives, converting checkpoints."""

from __future__ import annotations

from lcl_lab import training
from lcl_lab.commands.program import Program
from lcl_lab.models import convert
from lcl_lab.models.convert.convert_config import ConvertConfig
from lcl_lab.training.mine_config import MineConfig
from lcl_lab.training.train_config import TrainConfig

__all__ = ["convert_program", "mine_program", "train_program"]

_TRAIN = """Train a model by a strategy.

The embedded model trains on a CPU in minutes. Give a LLaVA checkpoint with --start, and it is trained by the same
strategy, in full or with --lora, on one GPU or, with `accelerate launch`, on many. Strategies that also draw original
tasks need its instruction data as --tasks.

Kill a training at any moment and give the same command again: it resumes from its last checkpoint, to the same weights.
"""
_MINE = """Mine hard negatives with a CLIP.

Every concept of a dataset gets its neighbours, most similar first: the other concepts are sorted by a weighted sum of
image-image, image-text and text-text similarity and cut into N equal intervals, and one concept is drawn from each
(Tai et al., section 3.2). The file has the format of the authors' train900_pairs.jsonl.
"""
_CONVERT = """Convert a released checkpoint to a checkpoint with safetensors, config and processor.

Link-context learning and Shikra become a LLaVA with the release's image tokens. OpenFlamingo, given the folder of its
checkpoint.pt and its language model, and Otter become a Flamingo. This package implements both, and runs no code of a
checkpoint.
"""


def train_program(name: str = "python -m lcl_lab.train") -> Program[TrainConfig]:
    """The command that trains a model and prints its folder."""

    def run(config: TrainConfig) -> None:
        trained = training.train_model(config)
        if trained.card:  # only the main process of a distributed training prints
            print(trained.path)

    return Program(name, TrainConfig, run, _TRAIN)


def mine_program(name: str = "python -m lcl_lab.neighbours") -> Program[MineConfig]:
    """The command that mines hard negatives and prints the path of the file."""

    def run(config: MineConfig) -> None:
        print(training.write_neighbours(config))

    return Program(name, MineConfig, run, _MINE)


def convert_program(name: str = "python -m lcl_lab.models.convert_shikra") -> Program[ConvertConfig]:
    """The command that converts a checkpoint and prints its folder."""

    def run(config: ConvertConfig) -> None:
        print(convert.convert_release(config))

    return Program(name, ConvertConfig, run, _CONVERT)
