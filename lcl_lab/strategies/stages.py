"""The stages that several strategies share."""

from __future__ import annotations

from lcl_lab.strategies.distributions import Distribution, fixed_shots
from lcl_lab.strategies.strategy import Draw, Stage

__all__ = ["FULL_BATCH", "SHORT_BATCH", "link_stages", "sampled_stage"]

SHORT_BATCH, FULL_BATCH = 64, 16  # prompts of 4 and of 16 shots that cost about the same
_SHORT = 4  # shots
_NOISE = 2.0  # with 8 images of a class it pays to compare with all of them, not with the most alike


def link_stages(shots: int, noticing: int = 350) -> tuple[Stage, ...]:
    """Episodes of as many shots; before them short ones, in settings that are new once links are noticed.

    Following a link begins suddenly, within `noticing` steps; new settings before that delay it (chance after 400
    steps), after it they help (unseen classes, 4 shots, 900 steps: 0.96 with, 0.925 without).
    """
    short, full = _episodes(fixed_shots(min(_SHORT, shots))), _episodes(fixed_shots(shots))
    return (
        Stage(noticing, SHORT_BATCH, short),
        Stage(450, SHORT_BATCH, short, noise=1.0),
        Stage(400, FULL_BATCH, full, noise=_NOISE),
    )


def sampled_stage(shots: Distribution) -> Stage:
    """Episodes whose number of shots is drawn anew each time."""
    return Stage(300, FULL_BATCH, _episodes(shots), noise=_NOISE)


def _episodes(shots: Distribution) -> Draw:
    return lambda material, rng: material.links.draw(rng, shots.draw(rng))
