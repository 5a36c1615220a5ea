"""LCL Lab: does a multimodal model follow the link from support to query?

Examples:
    >>> import lcl_lab as lcl
    >>> episode = lcl.draw_episode("world-100", query_id=7, shots=8)
    >>> lcl.falsify(episode, 0.5)  # the same episode with half its labels false, as a picture
    >>> lcl.answer("mini/2-way", episode)  # the answer of a model, graded
    >>> lcl.run_study("false_ratio", preset="tiny").accuracy

Data flows one way: concepts → episodes → prompts → models → evaluation → store → analysis → figures and reporting;
strategies and training change models, studies and sweeps connect the rest. Names are loaded when they are first used,
so importing the package is fast.

Letters for shapes, in every docstring: B batch, K shots (support images of an episode), Q queries, T tokens, P patches
(vision tokens of an image), I image tokens that the decoder reads, D width, N records, G clusters (concept pairs), S
seeds, H and W image height and width in pixels. In the evaluation engine: R different prefixes that the rows of a batch
follow, L tokens of a prefix, U tokens that a row has read since, A query heads, C key-value heads, E width of a head, V
vocabulary.
"""

from lcl_lab import interrupts as _interrupts

if _interrupts.runs_as_command():
    _interrupts.exit_on_interrupt()

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
