from .cell_workers import on_workers
from .code_version import scoring_code
from .design import Condition, Design, EvalItem, Question, Value, episode_design
from .evaluator import answer, cell_names, evaluate, evaluate_run
from .graded_answer import GradedAnswer, grade_answer
from .items import mini_vqa_item, vqa_item
from .loaded_models import keep_loaded
from .model_checks import BLIND, UNSAYABLE
from .worker_places import check_workers

__all__ = [
    "BLIND",
    "UNSAYABLE",
    "Condition",
    "Design",
    "EvalItem",
    "GradedAnswer",
    "Question",
    "Value",
    "answer",
    "cell_names",
    "check_workers",
    "episode_design",
    "evaluate",
    "evaluate_run",
    "grade_answer",
    "keep_loaded",
    "mini_vqa_item",
    "on_workers",
    "scoring_code",
    "vqa_item",
]
