"""Statistics: accuracies, intervals, paired and joint tests, power, and the numbers that the paper prints.

Pure functions of arrays and frames. Whatever is random takes an explicit generator or seed, and nothing reads or
writes files except the published numbers, which are part of the package.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
