"""Sweeps: strategies by seeds, each trained and put to studies, spread over workers by Ray Tune."""

from lcl_lab.sweeps.sweep_config import Sweep, Trial, read_sweep

__all__ = ["Sweep", "Trial", "read_sweep"]
