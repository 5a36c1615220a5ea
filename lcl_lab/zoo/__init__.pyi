from .evaluate import ZooEvaluation, evaluate_zoo
from .model_table import accuracies, model_table
from .paper_claims import paper_claims
from .release import ZooReport, train_seeds, train_zoo, write_model_table
from .release_criteria import LINK_MODELS, ZOO, CriterionResult, check_criteria
from .zoo_config import ZooSeedsConfig, ZooTableConfig, ZooTrainConfig

__all__ = [
    "LINK_MODELS",
    "ZOO",
    "CriterionResult",
    "ZooEvaluation",
    "ZooReport",
    "ZooSeedsConfig",
    "ZooTableConfig",
    "ZooTrainConfig",
    "accuracies",
    "check_criteria",
    "evaluate_zoo",
    "model_table",
    "paper_claims",
    "train_seeds",
    "train_zoo",
    "write_model_table",
]
