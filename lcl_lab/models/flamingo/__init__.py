"""OpenFlamingo and Otter: a frozen language model whose text attends to images by gated cross-attention.

Loading a checkpoint registers the architecture with the Auto classes of `transformers`.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
