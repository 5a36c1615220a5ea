"""Stages that several strategies share."""

from __future__ import annotations

from lcl_lab.strategies.distributions import Distribution, fixed_shots
from lcl_lab.strategies.strategy import Draw, Stage

__all__ = ["FULL_BATCH", "FULL_NOISE", "SHORT_BATCH", "link_stages", "sampled_stage"]

SHORT_BATCH, FULL_BATCH = 64, 16  # prompts of 4 and of 16 shots; a step takes about the same time
_SHORT = 4  # shots
FULL_NOISE = 2.0  # makes comparing with all 8 images of a concept better than comparing with the most similar one


def link_stages(shots: int, noticing: int = 350) -> tuple[Stage, ...]:
    """Episodes with a constant number of shots, after short episodes; feature noise starts once links are learned.

    The model starts to follow links suddenly, within `noticing` steps. Noise before that delays it (still at chance
    after 400 steps); noise after it helps (unseen concepts, 4 shots, 900 steps: 0.96 with noise, 0.925 without).

    Args:
        shots: the number of shots of the last stage.
        noticing: steps of short episodes without noise.
    """
    short, full = _episodes(fixed_shots(min(_SHORT, shots))), _episodes(fixed_shots(shots))
    return (
        Stage(noticing, SHORT_BATCH, short),
        Stage(450, SHORT_BATCH, short, noise=1.0),
        Stage(400, FULL_BATCH, full, noise=FULL_NOISE),
    )


def sampled_stage(shots: Distribution) -> Stage:
    """Episodes whose number of shots is drawn independently for each.

    Args:
        shots: the distribution of the number of shots.
    """
    return Stage(300, FULL_BATCH, _episodes(shots), noise=FULL_NOISE)


def _episodes(shots: Distribution) -> Draw:
    return lambda data, rng: data.links.draw(rng, shots.draw(rng))
