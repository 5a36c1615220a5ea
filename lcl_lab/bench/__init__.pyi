from .bench_config import BenchConfig
from .card import Card, read_card, write_card
from .leaderboard_pages import leaderboard, write_leaderboard
from .suite import HEADLINES, TASKS, VERSION, Headline, Task
from .suite_run import run_bench

__all__ = [
    "HEADLINES",
    "TASKS",
    "VERSION",
    "BenchConfig",
    "Card",
    "Headline",
    "Task",
    "leaderboard",
    "read_card",
    "run_bench",
    "write_card",
    "write_leaderboard",
]
