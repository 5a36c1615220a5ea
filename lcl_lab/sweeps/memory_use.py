"""The peak memory of a trial."""

from __future__ import annotations

import resource
import sys
from contextlib import suppress
from pathlib import Path

__all__ = ["PeakMemory"]

_UNIT = 1 if sys.platform == "darwin" else 1024  # of `ru_maxrss`, in bytes
_RESET = Path("/proc/self/clear_refs")


class PeakMemory:
    """Measures from its creation on.

    Of main memory, the peak is that of the process, which Linux alone can reset: elsewhere it includes earlier trials.
    """

    def __init__(self) -> None:
        with suppress(OSError):
            _RESET.write_text("5", encoding="ascii")
        if _uses_gpu():
            sys.modules["torch"].cuda.reset_peak_memory_stats()

    def read(self) -> dict[str, int]:
        """The peaks in bytes: ``memory``, and ``gpu_memory`` if the process has used a GPU."""
        peaks = {"memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT}
        if _uses_gpu():
            peaks["gpu_memory"] = int(sys.modules["torch"].cuda.max_memory_allocated())
        return peaks


def _uses_gpu() -> bool:
    """Whether this process has used a GPU; PyTorch is not imported to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and bool(torch.cuda.is_initialized())
