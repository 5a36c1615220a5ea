"""Studies: one module per question, each a command, and the helpers they share."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
