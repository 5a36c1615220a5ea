"""`2-way`: a positive concept against a hard negative, 16 shots."""

from lcl_lab.strategies.stages import link_stages
from lcl_lab.strategies.strategy import Strategy

STRATEGIES = (Strategy(name="2-way", start="base", stages=link_stages(16)),)
