"""Models: they answer prompts with text and with the log-likelihoods of candidates.

Importing the package and finding checkpoints imports no torch; loading a model does.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
