"""`2-way-weight`: continues from `2-way` with j shots at probability e^j / Σ_{m=2..16} e^m."""

from lcl_lab.strategies.distributions import exponential_shots
from lcl_lab.strategies.stages import sampled_stage
from lcl_lab.strategies.strategy import Strategy

STRATEGIES = (
    Strategy(name="2-way-weight", start="2-way", stages=(sampled_stage(exponential_shots()),), learning_rate=1e-3),
)
