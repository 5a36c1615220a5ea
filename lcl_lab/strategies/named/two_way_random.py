"""`2-way-random`: continues from `2-way` with a number of shots that is uniform over 2 … 16."""

from lcl_lab.strategies.distributions import uniform_shots
from lcl_lab.strategies.stages import sampled_stage
from lcl_lab.strategies.strategy import Strategy

STRATEGIES = (
    Strategy(name="2-way-random", start="2-way", stages=(sampled_stage(uniform_shots()),), learning_rate=1e-3),
)
