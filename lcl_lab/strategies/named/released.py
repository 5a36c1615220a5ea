"""`policy_2way_weight`, `policy_2way_random_shot`: training policies of the authors' code, under their names there.

In spite of its name, `policy_2way_weight` has a fixed number of shots, as the paper's `2-way` has.
`policy_2way_random_shot` draws i shots per concept with weight e^(i/2); the paper's `2-way-weight` draws j shots in
total with weight e^j. `LinkEpisodes.draw_as_released` says how their episodes differ from the paper's.
"""

from lcl_lab.strategies.distributions import Distribution, fixed_shots, released_shots
from lcl_lab.strategies.stages import FULL_NOISE, link_stages
from lcl_lab.strategies.strategy import Stage, Strategy

_FINAL = link_stages(16)[-1]


def _released_stage(shots: Distribution, steps: int) -> Stage:
    return Stage(
        steps, _FINAL.batch, lambda data, rng: data.links.draw_as_released(rng, shots.draw(rng)), noise=FULL_NOISE
    )


STRATEGIES = (
    # The embedded model learns links from short episodes first, as it does for `2-way`.
    Strategy(
        name="policy_2way_weight",
        start="base",
        stages=(*link_stages(16)[:-1], _released_stage(fixed_shots(16), _FINAL.steps)),
    ),
    Strategy(
        name="policy_2way_random_shot",
        start="2-way",
        stages=(_released_stage(released_shots(), steps=300),),
        learning_rate=1e-3,
    ),
)
