"""Estimates to Altair charts, for reports, notebooks and the dashboard.

Every function returns a `Figure`: panels that know their metric, composed and themed when shown or saved. Importing
the package or drawing a figure leaves Altair's global theme unchanged.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
