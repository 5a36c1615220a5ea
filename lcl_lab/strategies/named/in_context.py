"""`in-context`: multi-image prompts whose names are the usual ones, so that no label need be read.

The baseline that link training is held against: as in interleaved pre-training, the support and the
query are drawn apart, and what a thing is called is known from before.
"""

from lcl_lab.strategies.stages import FULL_BATCH, SHORT_BATCH
from lcl_lab.strategies.strategy import Stage, Strategy

STRATEGIES = (
    Strategy(
        name="in-context",
        start="base",
        stages=(
            Stage(200, SHORT_BATCH, lambda material, rng: material.tasks.name_many(rng, 4)),
            Stage(150, FULL_BATCH, lambda material, rng: material.tasks.name_many(rng, 16)),
        ),
        learning_rate=1e-3,
        needs_links=False,
        needs_tasks=True,
    ),
)
