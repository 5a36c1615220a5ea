"""Detects the kind of a release from its files, and converts it."""

from __future__ import annotations

from pathlib import Path

from lcl_lab.errors import UserError
from lcl_lab.models.convert.convert_config import ConvertConfig
from lcl_lab.models.convert.openflamingo_checkpoint import convert_openflamingo
from lcl_lab.models.convert.otter_checkpoint import OTTER_TYPES, convert_otter
from lcl_lab.models.convert.released_files import read_config
from lcl_lab.models.convert.shikra_checkpoint import convert_shikra
from lcl_lab.models.convert.target_folder import check_is_new

__all__ = ["convert_release"]

_CHECKPOINT = "checkpoint.pt"


def convert_release(config: ConvertConfig) -> Path:
    """Convert a released checkpoint of link-context learning, Shikra, OpenFlamingo or Otter.

    Args:
        config: its files, and where its parts come from.

    Returns:
        The folder of the converted checkpoint.

    Raises:
        UserError: a file is missing or not in a release's format, or the target exists.
    """
    source, target = config.source, config.target
    file = source / _CHECKPOINT if source.is_dir() else source
    has_config = (source / "config.json").is_file()
    if not has_config and not (file.is_file() and file.suffix == ".pt"):
        reason = f"has no config.json and no {_CHECKPOINT}; give the folder of a released checkpoint"
        raise UserError(reason, option="source", value=source)
    check_is_new(target)
    if not has_config:
        return convert_openflamingo(file, target, config.language_model, config.vision_tower)
    if read_config(source).get("model_type") in OTTER_TYPES:
        return convert_otter(source, target, config.language_model)
    return convert_shikra(source, target, config.vision_tower)
