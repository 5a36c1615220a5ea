"""Episodes: supports, queries, shots, orders and false labels, drawn from (study seed, query id) alone."""

from lcl_lab.episodes.draw import check_shots, draw_episode, redraw
from lcl_lab.episodes.episode import Episode, Example
from lcl_lab.episodes.perturb import falsify, falsify_at, falsify_some, rename, reorder
from lcl_lab.episodes.scoring import right_candidate, right_open
from lcl_lab.episodes.visualize import episode_image, save_strip, stacked

__all__ = [
    "Episode",
    "Example",
    "check_shots",
    "draw_episode",
    "episode_image",
    "falsify",
    "falsify_at",
    "falsify_some",
    "redraw",
    "rename",
    "reorder",
    "right_candidate",
    "right_open",
    "save_strip",
    "stacked",
]
