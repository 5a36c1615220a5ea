"""Training: changes weights with `accelerate`. What models are trained on comes from `lcl_lab.strategies`."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
