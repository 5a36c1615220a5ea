"""The stages that several strategies share."""

from __future__ import annotations

from lcl_lab.strategies.laws import Law, fixed_shots
from lcl_lab.strategies.strategy import Draw, Stage

__all__ = ["FULL_BATCH", "SHORT_BATCH", "link_stages", "sampled_stage"]

SHORT_BATCH, FULL_BATCH = 64, 16  # prompts of 4 and of 16 shots that cost about the same
_SHORT = 4  # shots


def link_stages(shots: int) -> tuple[Stage, ...]:
    """Episodes of as many shots, after shorter ones (see `Strategy`)."""
    return (
        Stage(900, SHORT_BATCH, _episodes(fixed_shots(min(_SHORT, shots)))),
        Stage(300, FULL_BATCH, _episodes(fixed_shots(shots))),
    )


def sampled_stage(shots: Law) -> Stage:
    """Episodes whose number of shots is drawn anew each time."""
    return Stage(300, FULL_BATCH, _episodes(shots))


def _episodes(shots: Law) -> Draw:
    return lambda material, rng: material.links.draw(rng, shots.draw(rng))
