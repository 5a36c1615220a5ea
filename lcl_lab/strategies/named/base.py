"""`base`: the original tasks alone, one image at a time (Shikra's role in the paper).

Single images teach nothing about looking back, and would wear out the heads that do, so the decoder's
attention stays as initialised: with it trained, link training stayed at chance for 1,400 steps.
"""

from lcl_lab.strategies.strategy import Stage, Strategy

STRATEGIES = (
    Strategy(
        name="base",
        start="prototype",
        stages=(Stage(2500, 64, lambda material, rng: material.tasks.draw(rng)),),
        trains_attention=False,
        needs_links=False,
        needs_tasks=True,
    ),
)
