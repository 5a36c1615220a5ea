"""Models that stay loaded for several runs in one process, such as the studies of a sweep's trial."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lcl_lab import models

if TYPE_CHECKING:
    from lcl_lab.evaluation.design import Design
    from lcl_lab.models import Checkpoint, Model

__all__ = ["keep_loaded", "load_for", "stays_loaded"]

_Use = tuple[Any, ...]


@dataclass(frozen=True)
class _LoadedModels:
    """The models that stay loaded, each with what it was loaded for, by name."""

    names: tuple[str, ...]
    loaded: dict[str, tuple[_Use, Model]] = field(default_factory=dict)


_current: ContextVar[_LoadedModels | None] = ContextVar("loaded models", default=None)


@contextmanager
def keep_loaded(*names: str) -> Iterator[None]:
    """Load models once for all runs of the block that use them on the same data with the same settings.

    Args:
        *names: the names of the models in records. All others are loaded for each run and freed after it.
    """
    token = _current.set(_LoadedModels(names))
    try:
        yield
    finally:
        _current.reset(token)


def stays_loaded(design: Design, checkpoint: Checkpoint, batch_size: int, dtype: str) -> bool:
    """Whether `load_for` returns a model that is in memory already; one that was kept for another use is freed."""
    models_in_memory = _current.get()
    if models_in_memory is None or checkpoint.name not in models_in_memory.loaded:
        return False
    if models_in_memory.loaded[checkpoint.name][0] == _use(checkpoint, design, batch_size, dtype):
        return True
    del models_in_memory.loaded[checkpoint.name]
    return False


def load_for(
    design: Design, checkpoint: Checkpoint, batch_size: int, dtype: str, fresh: bool, use_cache: bool
) -> Model:
    """Load a model to evaluate it on a design, or return the one that is kept.

    Args:
        design: what it is evaluated on.
        checkpoint: the model.
        batch_size: see `load_model`.
        dtype: see `load_model`.
        fresh: see `load_model`.
        use_cache: see `load_model`.

    Raises:
        UserError: it cannot be loaded.
    """
    models_in_memory = _current.get()
    use = _use(checkpoint, design, batch_size, dtype)
    if models_in_memory is None or use is None or checkpoint.name not in models_in_memory.names:
        return models.load_model(checkpoint, batch_size, dtype, fresh=fresh, use_cache=use_cache)
    if not stays_loaded(design, checkpoint, batch_size, dtype):
        models_in_memory.loaded[checkpoint.name] = use, models.load_model(checkpoint, batch_size, dtype)
    return models_in_memory.loaded[checkpoint.name][1]


def _use(checkpoint: Checkpoint, design: Design, batch_size: int, dtype: str) -> _Use | None:
    """What a loaded model depends on; None where it cannot be kept.

    A model remembers the images that it has encoded by dataset, concept and number, so it is kept for one dataset.
    Nothing is loaded for models on servers and the user's objects.
    """
    if checkpoint.base_url or checkpoint.model is not None or "data" not in design.identity:
        return None
    return checkpoint, design.identity["data"], batch_size, dtype
