"""Strategies: what a model is trained on, as prompts drawn by law. Never imports torch."""

from lcl_lab.strategies.base_tasks import CORPUS, Tasks
from lcl_lab.strategies.link_episodes import LinkEpisodes
from lcl_lab.strategies.registry import find_strategy, strategies
from lcl_lab.strategies.strategy import Material, Stage, Strategy

__all__ = ["CORPUS", "LinkEpisodes", "Material", "Stage", "Strategy", "Tasks", "find_strategy", "strategies"]
