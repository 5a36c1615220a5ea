"""Does the link survive when the name means something else?

Question   Can a model follow a label that is a word it knows for another thing, a random string, or a mark?
Source     The paper's own example, an apple that is called orange (Tai et al., CVPR 2024, section 1); semantic
           priors against in-context mappings (Wei et al., arXiv 2303.03846).
Design     The same images and order under five vocabularies: the names of the data (real where the thing is),
           the two swapped, names invented anew, random strings of 1 to 10 letters, punctuation marks. What is
           right is always what the support says.
Command    python -m lcl_lab.studies.label_words
Time       half a minute on two cores
Expect     a link-trained model follows all but marks; a model that answers from what it knows is right with
           the usual names and wrong with the swapped ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from pydantic import Field

from lcl_lab.cli import run_program
from lcl_lab.studies._options import EpisodeConfig
from lcl_lab.studies._study import Presets, Study

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from lcl_lab.episodes import Episode
    from lcl_lab.studies._findings import Findings
    from lcl_lab.studies._plan import Plan, Value

__all__ = ["STUDY", "LabelWords"]

REAL, SWAPPED, INVENTED, RANDOM, SYMBOL = "real", "swapped-real", "invented", "random-string", "symbol"
_WORDS = (REAL, SWAPPED, INVENTED, RANDOM, SYMBOL)
_STREAM = 5  # of draws of names
_MARKS = "?.,[]"  # that every tokenizer has


class LabelWords(EpisodeConfig):
    """The support under every vocabulary."""

    model: tuple[str, ...] = Field(
        ("mini/base", "mini/2-way", "mini/mix"), min_length=1, max_length=8, description="names as in every study"
    )
    data: str = Field("isekai-mini", description="as in every study; half of its names are of known things")
    shots: int = Field(8, ge=2, description="support images in all, half of each concept")


PRESETS: Presets = {
    "default": {},
    "tiny": {"queries": 12, "shots": 4, "model": ("mini/base", "mini/2-way")},
    "paper": {"queries": 2000, "shots": 16},
}


def _plan(config: LabelWords) -> Plan:
    from lcl_lab.concepts import load_dataset
    from lcl_lab.episodes import check_shots, draw_episode
    from lcl_lab.studies._plan import of_episodes

    concepts = load_dataset(config.data)
    check_shots(concepts, config.shots, config.queries_per_support)
    taken = [concept.name for concept in concepts.concepts.values()]

    def under(words: str, query: int) -> Episode:
        episode = draw_episode(concepts, config.seed, query, config.shots, config.queries_per_support)
        return _worded(episode, words, taken)

    conditions: list[tuple[Mapping[str, Value], Callable[[int], Episode]]] = [
        ({"shots": config.shots, "words": words}, partial(under, words)) for words in _WORDS
    ]
    return of_episodes(concepts, config.queries, conditions, config.queries_per_support, shots=config.shots)


def _worded(episode: Episode, words: str, taken: list[str]) -> Episode:
    """The episode in a vocabulary; what was drawn for a support holds for all its queries."""
    import numpy as np

    from lcl_lab.episodes import rename

    own = sorted((episode.true_name, episode.other_name))
    if words == REAL:
        return episode
    if words == SWAPPED:
        return rename(episode, dict(zip(own, own[::-1], strict=True)))
    rng = np.random.default_rng([episode.seed, episode.support_id, _STREAM, len(words)])
    return rename(episode, dict(zip(own, _two(words, rng, taken), strict=True)))


def _two(words: str, rng: np.random.Generator, taken: list[str]) -> list[str]:
    """Two names of which neither is in the other, so that the open-ended rule can tell them apart."""
    from lcl_lab.concepts import invent_names, random_string

    while True:
        if words == INVENTED:
            names = invent_names(rng, 2, taken)
        elif words == RANDOM:
            names = [random_string(rng), random_string(rng)]
        else:
            names = [str(mark) for mark in rng.choice(list(_MARKS), 2, replace=False)]
        if names[0] not in names[1] and names[1] not in names[0]:
            return names


def _find(config: LabelWords, records: pd.DataFrame) -> Findings:
    from lcl_lab.analysis import accuracy
    from lcl_lab.figures import dot_figure
    from lcl_lab.studies._findings import Findings, Section, accuracy_table

    estimates = accuracy(records, ["model", "words"], config.seed)
    estimates = estimates.set_index("words").loc[list(_WORDS)].reset_index()
    shown = estimates[(estimates["metric"] != "candidate-raw") & (estimates["model"].isin(config.models))]
    title = f"What things are called, at {config.shots} shots on {config.data}"
    chart = dot_figure(shown, "words", title, guide=0.5, panel="metric", width=420)
    table = accuracy_table(estimates, "words", "Accuracy, and its 95 % interval over concept pairs", sort=False)
    return Findings(title, [Section("Accuracy by vocabulary", _changes(config, records), chart, tables=[table])])


def _changes(config: LabelWords, records: pd.DataFrame) -> list[str]:
    """Each vocabulary against the usual names, a family of tests a model and metric."""
    from lcl_lab.analysis import adjust
    from lcl_lab.studies._compare import answers, change
    from lcl_lab.studies._findings import interval, told_p

    said = []
    for model, metric, own in answers(records, config.model):
        others = _WORDS[1:]
        found = [change(own, metric, {"words": REAL}, {"words": words}, config.seed) for words in others]
        holm = adjust([one.p_value for one in found])["holm"]
        told = "; ".join(
            f"{words} {interval(one.estimate, one.low, one.high, sign=True, places=2)} ({told_p(p)})"
            for words, one, p in zip(others, found, holm, strict=True)
        )
        said.append(
            f"**{model}**, {metric}: {found[0].accuracy_a:.3f} with the names of the data; change with {told} "
            f"(p after Holm)."
        )
    return said


STUDY = Study("label_words", __doc__ or "", LabelWords, PRESETS, _plan, _find)

if __name__ == "__main__":
    run_program(STUDY.main)
