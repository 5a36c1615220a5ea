"""`policy_2way_random_shot`: the weighting of the authors' released code, under the code's own name.

It draws i shots per concept with weight e^(i/2); the paper's `2-way-weight` draws j shots in total with weight e^j.
"""

from lcl_lab.strategies.distributions import released_shots
from lcl_lab.strategies.stages import sampled_stage
from lcl_lab.strategies.strategy import Strategy

STRATEGIES = (
    Strategy(
        name="policy_2way_random_shot", start="2-way", stages=(sampled_stage(released_shots()),), learning_rate=1e-3
    ),
)
