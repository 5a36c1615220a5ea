from .drawing import check_shots, draw_episode, most_shots, redraw
from .episode import NONE_OF_THESE, Episode, Example
from .image_ablations import blank_query, blank_support, permute_images, remove_support
from .open_episodes import open_set
from .perturb import FalseLabels, falsify, falsify_at, falsify_independently, rename, reorder
from .release_episodes import FINAL_QUESTION, ReleaseEpisodes
from .replaced_images import with_replacements
from .scoring import RULES, OpenRule, default_rule, is_correct_candidate, is_correct_open
from .support_selection import SELECTIONS, Selection, select_support
from .visualize import episode_html, episode_image, stack_images

__all__ = [
    "FINAL_QUESTION",
    "NONE_OF_THESE",
    "RULES",
    "SELECTIONS",
    "Episode",
    "Example",
    "FalseLabels",
    "OpenRule",
    "ReleaseEpisodes",
    "Selection",
    "blank_query",
    "blank_support",
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
    "most_shots",
    "open_set",
    "permute_images",
    "redraw",
    "remove_support",
    "rename",
    "reorder",
    "select_support",
    "stack_images",
    "with_replacements",
]
