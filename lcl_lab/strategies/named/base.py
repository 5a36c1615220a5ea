"""`base`: the original tasks only, one image per prompt (the role that Shikra has in the paper).

Single images do not teach attention to earlier images and would weaken the heads that do, so the decoder's attention
stays as initialised: when it was trained, link training stayed at chance for 1,400 steps.
"""

from lcl_lab.strategies.strategy import Stage, Strategy

STRATEGIES = (
    Strategy(
        name="base",
        start="prototype",
        stages=(Stage(2500, 64, lambda data, rng: data.tasks.draw(rng)),),
        trains_attention=False,
        needs_links=False,
        needs_tasks=True,
    ),
)
