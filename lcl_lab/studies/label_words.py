"""Does the link survive when the name means something else?

Question   Can a model follow a label that is a word for another concept, a random string, or a punctuation mark?
Source     The paper's own example, an apple that is called orange (Tai et al., CVPR 2024, section 1); semantic
           priors against in-context mappings (Wei et al., arXiv 2303.03846).
Design     The same images in the same order under five vocabularies: the dataset's names (real words where the concept
           is known), the two names swapped, newly invented names, random strings of 1 to 10 letters, punctuation
           marks. The correct answer is always the one that the support shows.
Command    python -m lcl_lab.studies.label_words
Time       half a minute on two cores
Expect     a link-trained model follows all but punctuation marks; a model that answers from prior knowledge is right
           with the usual names and wrong with the swapped ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from lcl_lab import analysis, concepts, episodes, evaluation, figures, reporting
from lcl_lab.studies import comparisons
from lcl_lab.studies.study import Study
from lcl_lab.studies.study_config import EpisodeConfig

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.episodes import Episode
    from lcl_lab.evaluation import Design
    from lcl_lab.reporting import Findings, Statement

__all__ = ["STUDY", "LabelWords"]

REAL, SWAPPED, INVENTED, RANDOM, SYMBOL = "real", "swapped-real", "invented", "random-string", "symbol"
VOCABULARIES = (REAL, SWAPPED, INVENTED, RANDOM, SYMBOL)
_STREAM = 5  # random stream of the names
_MARKS = "?.,[]"  # every tokenizer has these


class LabelWords(EpisodeConfig):
    """The support that is shown under every vocabulary."""

    PRESETS = {
        "default": {},
        "tiny": {"queries": 12, "shots": 4, "model": ("mini/base", "mini/2-way")},
        "paper": {"queries": 2000, "shots": 16},
    }

    model: tuple[str, ...] = Field(
        ("mini/base", "mini/2-way", "mini/mix"),
        min_length=1,
        max_length=8,
        description="models, named as in every study",
    )
    data: str = Field(
        "isekai-mini", description="dataset, as in every study; half of the names of isekai-mini are real words"
    )
    shots: int = Field(8, ge=2, description="support images in total, half of each concept")


def _design(config: LabelWords) -> Design:
    dataset = config.load_dataset()
    episodes.check_shots(dataset, config.shots, config.queries_per_support)
    taken = [concept.name for concept in dataset.concepts.values()]

    def draw(words: str, query: int) -> Episode:
        episode = episodes.draw_episode(dataset, config.seed, query, config.shots, config.queries_per_support)
        return _with_words(episode, words, taken)

    return evaluation.episode_design(
        dataset,
        config.queries,
        [({"shots": config.shots, "words": words}, partial(draw, words)) for words in VOCABULARIES],
        config.queries_per_support,
        shots=config.shots,
    )


def _with_words(episode: Episode, words: str, taken: Sequence[str]) -> Episode:
    """The episode in another vocabulary; all queries of a support get the same names."""
    names = sorted((episode.true_name, episode.other_name))
    if words == REAL:
        return episode
    if words == SWAPPED:
        return episodes.rename(episode, dict(zip(names, names[::-1], strict=True)))
    rng = np.random.default_rng([episode.seed, episode.support_id, _STREAM, len(words)])
    return episodes.rename(episode, dict(zip(names, _draw_two(words, rng, taken), strict=True)))


def _draw_two(words: str, rng: np.random.Generator, taken: Sequence[str]) -> list[str]:
    """Two names neither of which contains the other, so that the open-ended rule can distinguish them."""
    while True:
        if words == INVENTED:
            names = concepts.invent_names(rng, 2, taken)
        elif words == RANDOM:
            names = [concepts.random_string(rng), concepts.random_string(rng)]
        else:
            names = [str(mark) for mark in rng.choice(list(_MARKS), 2, replace=False)]
        if names[0] not in names[1] and names[1] not in names[0]:
            return names


def _analyse(config: LabelWords, records: pd.DataFrame) -> Findings:
    estimates = analysis.accuracy(records, ["model", "words"], config.seed)
    estimates = estimates.set_index("words").loc[list(VOCABULARIES)].reset_index()
    shown = estimates[(estimates["metric"].isin(analysis.MAIN_METRICS)) & estimates["model"].isin(config.model)]
    title = f"Vocabulary of the labels, at {config.shots} shots on {config.data}"
    caption = "Accuracy, with 95 % intervals over concept pairs"
    section = reporting.Section(
        "Accuracy by vocabulary",
        list(_changes(config, records)),
        figures.dot_figure(shown, "words", title, guide=0.5, panel="metric", width=420),
        tables=[comparisons.accuracy_table(estimates, "words", caption, in_order=True)],
    )
    return reporting.Findings(title, [section])


def _changes(config: LabelWords, records: pd.DataFrame) -> Iterator[Statement]:
    """Each vocabulary against the dataset's names, one family of tests per model and metric."""
    others = VOCABULARIES[1:]
    changes_text = "; ".join(f"{words} {{change_{k}:2}} ({{holm_{k}:p}})" for k, words in enumerate(others))
    template = (
        f"{{model}}, {{metric}}: {{change_0.value_a:.3f}} with the dataset's names; change with {changes_text} "
        f"(p after Holm)."
    )
    for model, metric, rows in comparisons.per_model_and_metric(records, config.model):
        changes = [comparisons.change(rows, metric, {"words": REAL}, {"words": words}, model) for words in others]
        holm = analysis.adjust([change.p_value for change in changes])["holm"].tolist()
        values = {
            **{f"change_{k}": change for k, change in enumerate(changes)},
            **{f"holm_{k}": p_value for k, p_value in enumerate(holm)},
        }
        yield reporting.Statement(template, values, metric, model, methods=["Holm's correction"])


STUDY = Study("label_words", _design, _analyse, LabelWords, __doc__ or "")

if __name__ == "__main__":
    from lcl_lab.commands import study_program

    study_program(STUDY).main()
