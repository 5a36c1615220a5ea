from .design import Condition, Design, EvalItem, Question, Value, episode_design
from .evaluator import GradedAnswer, answer, evaluate, evaluate_run, grade_answer
from .items import mini_vqa_item, vqa_item

__all__ = [
    "Condition",
    "Design",
    "EvalItem",
    "GradedAnswer",
    "Question",
    "Value",
    "answer",
    "episode_design",
    "evaluate",
    "evaluate_run",
    "grade_answer",
    "mini_vqa_item",
    "vqa_item",
]
