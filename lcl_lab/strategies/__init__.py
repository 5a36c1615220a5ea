"""Training strategies: the prompts that a model is trained on, stage by stage. Never imports torch."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
