"""Reporting: typed findings, and their sentences, tables and reports. Numbers become text here and nowhere else."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
