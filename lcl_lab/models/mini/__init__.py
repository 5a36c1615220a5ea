"""The mini models that ship with the package: a small LLaVA, its CLIP, and a nearest-prototype classifier."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
