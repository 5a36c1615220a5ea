"""Strategies: what a model is trained on, as prompts drawn by law. Never imports torch."""

from lcl_lab.strategies.links import LinkEpisodes
from lcl_lab.strategies.registry import find_strategy, strategies
from lcl_lab.strategies.strategy import Material, Stage, Strategy
from lcl_lab.strategies.tasks import CORPUS, Tasks

__all__ = ["CORPUS", "LinkEpisodes", "Material", "Stage", "Strategy", "Tasks", "find_strategy", "strategies"]
