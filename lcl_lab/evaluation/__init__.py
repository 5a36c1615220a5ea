"""Evaluation: designs of conditions and items, and the one evaluator that studies, zoo and training use."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
