from .drawing import check_shots, draw_episode, redraw
from .episode import Episode, Example
from .perturb import falsify, falsify_at, falsify_independently, rename, reorder
from .release_episodes import FINAL_QUESTION, ReleaseEpisodes
from .scoring import RULES, OpenRule, default_rule, is_correct_candidate, is_correct_open
from .visualize import episode_html, episode_image, stack_images

__all__ = [
    "FINAL_QUESTION",
    "RULES",
    "Episode",
    "Example",
    "OpenRule",
    "ReleaseEpisodes",
    "check_shots",
    "default_rule",
    "draw_episode",
    "episode_html",
    "episode_image",
    "falsify",
    "falsify_at",
    "falsify_independently",
    "is_correct_candidate",
    "is_correct_open",
    "redraw",
    "rename",
    "reorder",
    "stack_images",
]
