"""Sweeps: every strategy with every seed, each model trained and evaluated in studies, on many workers by Ray Tune."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
