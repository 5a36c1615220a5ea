from .claims import ZooClaim, paper_claims, read_claims, write_claims
from .markdown_table import accuracies, model_table
from .photo_config import PhotoTrainConfig
from .photo_training import PHOTO_MODELS, PhotoCriterion, PhotoReport, train_photo_models
from .release_criteria import LINK_MODELS, ZOO, CriterionResult, check_criteria
from .zoo_config import ZooSeedsConfig, ZooTableConfig, ZooTrainConfig
from .zoo_evaluation import ZooEvaluation, evaluate_zoo
from .zoo_training import SeedsReport, ZooReport, train_seeds, train_zoo, variation_over_seeds, write_model_table

__all__ = [
    "LINK_MODELS",
    "PHOTO_MODELS",
    "ZOO",
    "CriterionResult",
    "PhotoCriterion",
    "PhotoReport",
    "PhotoTrainConfig",
    "SeedsReport",
    "ZooClaim",
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
    "read_claims",
    "train_photo_models",
    "train_seeds",
    "train_zoo",
    "variation_over_seeds",
    "write_claims",
    "write_model_table",
]
