"""The suite: which studies with which options, and which of their numbers a leaderboard shows.

A change of any of them is another version, whose cards are not compared with those of this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["HEADLINES", "SEED", "TASKS", "VERSION", "Headline", "Preset", "Task"]

VERSION = "1"
"""The version of the suite."""
SEED = 74_812_033
"""Seed of episodes and of the invented names: large, so that no training of this project has drawn from it."""
Preset = Literal["tiny", "default", "full"]


@dataclass(frozen=True)
class Task:
    """A study of the suite.

    Attributes:
        study: its name.
        options: its options in every preset.
        queries: the number of queries by preset.
        has_episodes: whether its items are episodes, which other data than the embedded ones can have.
        more: further options by preset.
    """

    study: str
    options: Mapping[str, Any]
    queries: Mapping[Preset, int]
    has_episodes: bool = True
    more: Mapping[Preset, Mapping[str, Any]] = field(default_factory=dict)

    def options_of(self, preset: Preset) -> dict[str, Any]:
        """All options of the study in a preset."""
        return {**self.options, "queries": self.queries[preset], **self.more.get(preset, {})}


@dataclass(frozen=True)
class Headline:
    """A number that a leaderboard shows.

    Attributes:
        key: its name in cards.
        title: its name for readers.
        study: the study that estimates it.
        estimand: what the study calls it.
        condition: column values that select it among the study's estimates.
        metric: its metric.
        better: whether a model that follows the link has a higher or a lower value.
    """

    key: str
    title: str
    study: str
    estimand: str
    condition: Mapping[str, Any] = field(default_factory=dict)
    metric: str = "candidate"
    better: Literal["higher", "lower"] = "higher"


def _sizes(tiny: int, default: int, full: int) -> dict[Preset, int]:
    return {"tiny": tiny, "default": default, "full": full}


TASKS: tuple[Task, ...] = (
    Task("attribution", {"shots": 8}, _sizes(12, 100, 1000)),
    Task("false_ratio", {"shots": 8, "ratios": (0.0, 0.25, 0.5, 0.75, 1.0)}, _sizes(12, 100, 1000)),
    Task(
        "label_position",
        {"shots": 8},
        _sizes(12, 60, 500),
        more={"tiny": {"factorial": 24}, "default": {"factorial": 300}, "full": {"factorial": 2000}},
    ),
    Task("shots", {"shots": (2, 4, 8, 16), "fixed": ()}, _sizes(12, 100, 1000)),
    Task("n_way", {"ways": (2, 3, 5), "shots_per_concept": 3}, _sizes(12, 100, 1000)),
    Task("open_set", {"shots_per_concept": 4}, _sizes(24, 200, 2000)),
    Task("arithmetic", {}, _sizes(12, 100, 1000), has_episodes=False),
)
"""The studies, in the order in which they run."""

HEADLINES: tuple[Headline, ...] = (
    Headline("link_score", "link score", "false_ratio", "link score"),
    Headline("link_rate", "link rate", "attribution", "link rate"),
    Headline("label_only", "label-only rate", "attribution", "label-only rate", better="lower"),
    Headline("visual_reliance", "visual reliance", "attribution", "change in accuracy"),
    Headline("accuracy_2", "accuracy, 2 shots", "shots", "accuracy", {"shots": 2}),
    Headline("accuracy_16", "accuracy, 16 shots", "shots", "accuracy", {"shots": 16}),
    Headline("open_16", "open-ended, 16 shots", "shots", "accuracy", {"shots": 16}, metric="open-ended"),
    Headline(
        "ways_5", "5 ways, corrected for chance", "n_way", "chance-corrected accuracy", {"ways": 5, "false_ratio": 0}
    ),
    Headline("auroc", "open set, AUROC", "open_set", "AUROC", {"prompt": "usual question", "score": "highest"}),
    Headline("arithmetic", "arithmetic, 8 shots", "arithmetic", "accuracy", {"shots": 8}),
)
"""The numbers of a leaderboard; the first one orders it."""
