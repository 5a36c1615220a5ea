"""Episodes: supports, queries, shots, orders and false labels, all drawn from (study seed, query id)."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
