from .cell_workers import cell_workers, check_workers
from .design import Condition, Design, EvalItem, Question, Value, episode_design
from .evaluator import answer, cell_names, evaluate, evaluate_run
from .graded_answer import GradedAnswer, grade_answer
from .items import mini_vqa_item, vqa_item
from .loaded_models import keep_loaded
from .model_checks import BLIND, UNSAYABLE
from .scoring_code import scoring_code

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
    "cell_workers",
    "check_workers",
    "episode_design",
    "evaluate",
    "evaluate_run",
    "grade_answer",
    "keep_loaded",
    "mini_vqa_item",
    "scoring_code",
    "vqa_item",
]
