"""Records of queries with more than two candidates, on models whose answers are known by construction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from PIL.Image import Image

import lcl_lab as lcl
from lcl_lab import analysis
from lcl_lab.concepts import ImageRef, load_dataset
from lcl_lab.episodes import draw_episode
from lcl_lab.errors import UserError
from lcl_lab.evaluation import Design, episode_design, evaluate
from lcl_lab.models import Answer, Loglik
from lcl_lab.prompts import Prompt
from lcl_lab.store import same_records

WORLD = load_dataset("world-100")


class LookUp:
    """Gives each name the log-likelihood and the tokens of a table, and says the most likely one per token."""

    name, fingerprint, device = "look-up", "1", "cpu"

    def __init__(self, table: Mapping[str, Loglik]) -> None:
        self._table = table

    def answer(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> Iterator[Answer]:
        for prompt in prompts:
            logliks = tuple(self._table[name] for name in prompt.candidates)
            best = max(prompt.candidates, key=lambda name: self._table[name].per_token)
            yield Answer(best, logliks, 0.0)


def table() -> dict[str, Loglik]:
    """A different mean for each name of the world, and totals in another order."""
    names = sorted(concept.name for concept in WORLD.concepts.values())
    return {name: loglik(name, 1.0 + rank, 1 + rank % 3) for rank, name in enumerate(names)}


def loglik(name: str, mean: float, tokens: int) -> Loglik:
    """That of a name whose tokens are equally likely."""
    return Loglik(-mean * tokens, tokens, (-mean,) * tokens, tuple(name[:1] * tokens))


def design(queries: int = 12, ways: Sequence[int] = (2, 3, 5)) -> Design:
    def draw(number: int, query: int) -> lcl.Episode:
        return draw_episode(WORLD, 0, query, number, ways=number)

    return episode_design(WORLD, queries, [({"ways": number}, partial(draw, number)) for number in ways])


def test_records_have_all_candidates() -> None:
    logliks = table()
    frame = evaluate([LookUp(logliks)], design(), progress=False)
    for row in frame.itertuples():
        episode = draw_episode(WORLD, 0, row.query_id, row.ways, ways=row.ways)
        assert row.episode_id == episode.id
        assert (row.true_name, row.other_name) == episode.names[:2]
        best = max(episode.other_names, key=lambda name: logliks[name].per_token)
        assert (row.loglik_other, row.tokens_other) == (logliks[best].total, logliks[best].tokens)
        assert row.correct_candidate == (logliks[row.true_name].per_token > logliks[best].per_token)
        assert row.correct_candidate_raw == all(
            logliks[row.true_name].total > logliks[name].total for name in episode.other_names
        )
        assert row.correct_open == row.correct_candidate  # it says the most likely name
        if row.ways == 2:
            assert row.other_names is row.loglik_others is row.tokens_others is None
        else:
            assert tuple(row.other_names) == episode.other_names
            assert list(row.loglik_others) == [logliks[name].total for name in episode.other_names]
            assert list(row.tokens_others) == [logliks[name].tokens for name in episode.other_names]
        of_names = [logliks[name] for name in episode.names]
        assert [tuple(values) for values in row.token_logliks] == [one.token_logliks for one in of_names]
        assert [tuple(texts) for texts in row.token_texts] == [one.token_texts for one in of_names]


def test_stored_records_are_those_in_memory(tmp_path: Path) -> None:
    lcl.register_model(LookUp(table()))
    study = lcl.Study("ways", lambda config: design(config.queries), reference=False)
    result = lcl.run_study(study, model="look-up", queries=6, results=tmp_path)
    expected = evaluate([LookUp(table())], design(6), study="ways", progress=False)
    assert same_records(result.records, expected) is None
    changed = expected["loglik_others"].map(lambda values: None if values is None else [value + 1 for value in values])
    assert "loglik_others" in str(same_records(result.records, expected.assign(loglik_others=changed)))
    assert lcl.read_records(tmp_path)["other_names"].notna().sum() == 12


def test_a_tie_between_all_names_is_chance(tmp_path: Path) -> None:
    lcl.register_model(LookUp(dict.fromkeys(table(), Loglik(-1.0, 1))))
    study = lcl.Study("ways", lambda config: design(config.queries), reference=False)
    result = lcl.run_study(study, model="look-up", queries=6, results=tmp_path)
    chance = result.accuracy[result.accuracy["metric"] == "candidate"].set_index("condition")["estimate"]
    assert chance.to_dict() == pytest.approx({"ways 2": 1 / 2, "ways 3": 1 / 3, "ways 5": 1 / 5})
    report = (result.path / "report.md").read_text(encoding="utf-8")
    assert "in 100.0% of its choices the true name ties" in report
    assert "than every other name; ties count 1/m with m equally likely names" in report


def test_calibration_of_several_names_is_refused() -> None:
    frame = evaluate([LookUp(table())], design(), progress=False)
    with pytest.raises(UserError, match="calibration is of choices between two names"):
        analysis.true_probability(frame)
    assert len(analysis.true_probability(frame[frame["ways"] == 2])) == 12


def test_records_of_earlier_versions_have_no_such_columns() -> None:
    frame = evaluate([LookUp(table())], design(ways=(2,)), progress=False)
    earlier = frame.drop(columns=["other_names", "loglik_others", "tokens_others"])
    assert not analysis.has_several_names(earlier)
    pd.testing.assert_series_equal(analysis.tied_candidates(earlier), analysis.tied_candidates(frame))


def test_the_tokens_of_a_candidate_are_given_completely_or_not_at_all() -> None:
    with pytest.raises(ValueError, match="1 log-likelihoods of 2 tokens"):
        Loglik(-1.0, 2, (-1.0,))
    with pytest.raises(ValueError, match="3 texts of 2 tokens"):
        Loglik(-1.0, 2, (-0.5, -0.5), ("a", "b", "c"))
    plain = {name: Loglik(one.total, one.tokens) for name, one in table().items()}
    frame = evaluate([LookUp(plain)], design(2), progress=False)
    assert frame[["token_logliks", "token_texts"]].isna().all(axis=None)
