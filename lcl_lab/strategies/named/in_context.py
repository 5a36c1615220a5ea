"""`in-context`: multi-image prompts with the usual names, which can be answered without reading the labels.

The baseline for link training: as in interleaved pre-training, support and query are drawn independently, and the
names of the objects are known from earlier training.
"""

from lcl_lab.strategies.stages import FULL_BATCH, SHORT_BATCH
from lcl_lab.strategies.strategy import Stage, Strategy

STRATEGIES = (
    Strategy(
        name="in-context",
        start="base",
        stages=(
            Stage(200, SHORT_BATCH, lambda data, rng: data.tasks.name_many(rng, 4)),
            Stage(150, FULL_BATCH, lambda data, rng: data.tasks.name_many(rng, 16)),
        ),
        learning_rate=1e-3,
        needs_links=False,
        needs_tasks=True,
    ),
)
