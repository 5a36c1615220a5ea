"""Interventions on attention heads and the residual stream: ablation, patching, and where heads attend."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
