"""`2-way`: a positive class against a hard negative at 16 shots."""

from lcl_lab.strategies.stages import link_stages
from lcl_lab.strategies.strategy import Strategy

STRATEGIES = (Strategy(name="2-way", start="base", stages=link_stages(16)),)
