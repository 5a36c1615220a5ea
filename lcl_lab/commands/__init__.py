"""Commands: thin shells that parse into the configuration the library takes, call it, and print the result."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
