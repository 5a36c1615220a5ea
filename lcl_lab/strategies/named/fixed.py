"""`fixed-2` … `fixed-16`: one training for each constant number of shots (the grey bars of Figure 6)."""

from lcl_lab.strategies.stages import link_stages
from lcl_lab.strategies.strategy import Strategy

STRATEGIES = tuple(
    Strategy(name=f"fixed-{shots}", start="base", stages=link_stages(shots)) for shots in range(2, 17, 2)
)
