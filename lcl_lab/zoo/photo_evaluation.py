"""Do the photo models still know the names of things that they were trained on?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lcl_lab import evaluation
from lcl_lab.concepts import Dataset, ImageRef
from lcl_lab.evaluation import Condition, Design, EvalItem
from lcl_lab.evaluation.design import Question
from lcl_lab.prompts import QUESTION, single_question

if TYPE_CHECKING:
    from lcl_lab.models import Checkpoint
    from lcl_lab.zoo.zoo_evaluation import ZooEvaluation

__all__ = ["evaluate_naming"]

_STREAM = 11  # of the random generator


def evaluate_naming(
    checkpoints: Sequence[Checkpoint], known: Dataset, images: int, plan: ZooEvaluation
) -> pd.DataFrame:
    """Records of questions for the names of known things.

    Args:
        checkpoints: the models.
        known: the dataset that they were trained on.
        images: the number of images of a concept that they were trained on; others are shown.
        plan: how much to evaluate.
    """
    unseen = [concept for concept in known.concepts.values() if concept.images > images]

    def item(query: int) -> EvalItem:
        rng = np.random.default_rng([plan.seed, query, _STREAM])
        concept = unseen[int(rng.integers(len(unseen)))]
        image = ImageRef(known.name, concept.id, int(rng.integers(images, concept.images)))
        asked = Question(
            data=known.name,
            seed=plan.seed,
            query_id=query,
            pair=concept.id,
            id=f"{plan.seed}-{query}",
            query=str(image),
            true_name=concept.name,
        )
        prompt = single_question(QUESTION, image, concept.name)
        return EvalItem(asked, prompt, grade=lambda answer: float(answer == concept.name))

    design = Design([Condition({}, plan.questions, item)], known.image)
    return evaluation.evaluate(checkpoints, design, batch_size=plan.batch_size)
