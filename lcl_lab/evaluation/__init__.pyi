from .design import Condition, Design, EvalItem, Question, Value, episode_design
from .evaluator import (
    GradedAnswer,
    answer,
    cell_names,
    evaluate,
    evaluate_run,
    grade_answer,
    scoring_code,
)
from .items import mini_vqa_item, vqa_item
from .loaded_models import keep_loaded
from .model_checks import BLIND, UNSAYABLE

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
    "episode_design",
    "evaluate",
    "evaluate_run",
    "grade_answer",
    "keep_loaded",
    "mini_vqa_item",
    "scoring_code",
    "vqa_item",
]
