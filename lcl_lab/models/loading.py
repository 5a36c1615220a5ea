"""Loads models: those of transformers, the nearest-prototype classifier, models on servers, and objects of users."""

from __future__ import annotations

from lcl_lab import models
from lcl_lab.errors import UserError, nearest
from lcl_lab.models import mini
from lcl_lab.models.checkpoint import Checkpoint, find_checkpoint, is_heuristic, is_prototype
from lcl_lab.models.interface import Model, ModelSettings
from lcl_lab.type_checks import check_type

__all__ = ["DTYPES", "load_model"]

_DEFAULTS = ModelSettings()
DTYPES = ("auto", "float32", "bfloat16", "float16")
"""Accepted values of `dtype`."""


def load_model(
    checkpoint: Checkpoint | str,
    batch_size: int = 32,
    dtype: str = "auto",
    base_url: str | None = None,
    fresh: bool = False,
    settings: ModelSettings = _DEFAULTS,
    use_cache: bool = True,
) -> Model:
    """Load a model, on a GPU if there is one.

    Args:
        checkpoint: a checkpoint, or a name for `find_checkpoint`.
        batch_size: prompts in a batch, or concurrent requests to a server; does not change results.
        dtype: precision of the weights, one of `DTYPES`. "auto" is float32 on a CPU, and the checkpoint's own on a GPU.
        base_url: address of the server, for a name such as ``openai:NAME``.
        fresh: do not use cached answers of a server; they are requested again and replaced.
        settings: how a model that is given by name is loaded and generates answers.
        use_cache: whether answers of a server are cached on disk.

    Returns:
        A model that is ready to answer. An object of the user is returned as it is.

    Raises:
        UserError: there is no such model, it cannot be loaded, or an argument is invalid.
    """
    if batch_size < 1:
        raise UserError("must be at least 1", option="batch_size", value=batch_size)
    if dtype not in DTYPES:
        raise UserError(f"unknown; {nearest(dtype, DTYPES)}", option="dtype", value=dtype)
    check_type(checkpoint, (str, Checkpoint), "checkpoint")
    if isinstance(checkpoint, str):
        checkpoint = find_checkpoint(checkpoint, base_url=base_url, settings=settings)
    if checkpoint.model is not None:
        return checkpoint.model
    if checkpoint.base_url:
        return models.ServerModel(checkpoint, batch_size, fresh, use_cache)
    if is_heuristic(checkpoint):
        return models.HeuristicModel(checkpoint)
    if is_prototype(checkpoint):
        return mini.PrototypeModel(checkpoint)
    return models.load_transformers_model(checkpoint, batch_size, dtype)
