"""Episodes: supports, queries, shots, orders and false labels, drawn from (study seed, query id) alone."""

from lcl_lab.episodes.change import falsify, falsify_at, falsify_some, rename, reorder
from lcl_lab.episodes.draw import check_shots, draw_episode, redraw
from lcl_lab.episodes.episode import Episode, Example
from lcl_lab.episodes.strip import picture_strip, save_strip, stacked
from lcl_lab.episodes.verdict import right_candidate, right_open

__all__ = [
    "Episode",
    "Example",
    "check_shots",
    "draw_episode",
    "falsify",
    "falsify_at",
    "falsify_some",
    "picture_strip",
    "redraw",
    "rename",
    "reorder",
    "right_candidate",
    "right_open",
    "save_strip",
    "stacked",
]
