"""LCL-Bench: one fixed suite of studies, a result card per model, and a leaderboard of cards."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
