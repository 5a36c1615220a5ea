"""The dashboard: the stored runs as Streamlit pages. It reads the store and evaluates nothing."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
