from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

import lcl_lab as lcl
from lcl_lab.episodes import Episode, falsify, remove_support
from lcl_lab.errors import UserError
from lcl_lab.evaluation.items import mini_vqa_item
from lcl_lab.models import find_checkpoint, load_model
from lcl_lab.models.checkpoint import HEURISTICS
from lcl_lab.prompts import Prompt, Turn, chat

WORLD = lcl.load_dataset("world-100")
EPISODES = [lcl.draw_episode(WORLD, 0, query, shots=6) for query in range(40)]


def texts(name: str, episodes: list[Episode]) -> list[str]:
    answers = list(load_model(name).answer([chat(episode) for episode in episodes], WORLD.image))
    for answer, episode in zip(answers, episodes, strict=True):
        true, other = (loglik.total for loglik in answer.logliks)
        assert {episode.true_name: true > other, episode.other_name: other > true}.get(answer.text, true == other)
    return [answer.text for answer in answers]


@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0])
def test_the_last_label_is_repeated(ratio: float) -> None:
    changed = [falsify(episode, ratio) for episode in EPISODES]
    assert texts("heuristic/last", changed) == [episode.support[-1].label for episode in changed]


def test_the_majority_is_the_most_frequent_label_if_there_is_one() -> None:
    unequal = [replace(episode, support=episode.support[:3]) for episode in EPISODES]
    expected = [Counter(example.label for example in episode.support).most_common(1)[0][0] for episode in unequal]
    assert texts("heuristic/majority", unequal) == expected
    assert set(texts("heuristic/majority", EPISODES)) == {""}


def test_the_nearest_image_has_the_label() -> None:
    """An image that is the query itself is the nearest, whatever its label says."""
    changed = [
        replace(
            episode,
            support=(replace(episode.support[0], image=episode.query, label=episode.other_name), *episode.support[1:]),
        )
        for episode in EPISODES
    ]
    assert texts("heuristic/nearest", changed) == [episode.other_name for episode in changed]


def test_models_that_compare_images_say_which_is_the_nearest() -> None:
    """The query itself in the last place; in two places, neither is the nearest; without a support, nothing is."""
    own = [replace(example, image=EPISODES[0].query) for example in EPISODES[0].support]
    once = replace(EPISODES[0], support=(*EPISODES[0].support[:-1], own[-1]))
    twice = replace(EPISODES[0], support=(own[0], *EPISODES[0].support[1:-1], own[-1]))
    prompts = [chat(episode) for episode in (once, twice, remove_support(once))]
    for name in ("heuristic/nearest", "mini/prototype"):
        answers = load_model(name).answer(prompts, WORLD.image)
        assert [answer.nearest for answer in answers] == [len(own), None, None]
    assert next(iter(load_model("heuristic/last").answer(prompts, WORLD.image))).nearest is None


def test_the_prior_does_not_depend_on_the_support() -> None:
    expected = texts("heuristic/prior", EPISODES)
    for change in (lambda e: falsify(e, 1.0), remove_support):
        assert texts("heuristic/prior", [change(episode) for episode in EPISODES]) == expected
    assert 5 < sum(text == e.true_name for text, e in zip(expected, EPISODES, strict=True)) < 35


@pytest.mark.parametrize("name", [name for name in HEURISTICS if name != "heuristic/prior"])
def test_without_a_support_no_rule_gives_a_name(name: str) -> None:
    assert texts(name, [remove_support(EPISODES[0])]) == [""]


@pytest.mark.parametrize("name", ["mini/prototype", *HEURISTICS])
def test_the_answer_to_a_question_is_not_taken_from_its_only_candidate(name: str) -> None:
    item = mini_vqa_item(WORLD, 0, 0, 0)
    (answer,) = load_model(name).answer([item.prompt], WORLD.image)
    assert answer.text == ""


def test_references_are_found_by_name_and_have_no_settings() -> None:
    found = find_checkpoint("mine=heuristic/last")
    assert found.identity() == {"name": "mine", "fingerprint": found.fingerprint, "generation": {}}
    assert load_model(found).name == "mine"
    with pytest.raises(UserError, match="did you mean 'heuristic/last'"):
        find_checkpoint("heuristic/lst")


@pytest.mark.parametrize("name", HEURISTICS)
def test_a_prompt_of_text_alone_is_answered(name: str) -> None:
    """As those of the study of arithmetic."""
    turns = (Turn("user", ("1 + 1 = ?",)), Turn("assistant", ("2",)), Turn("user", ("1 + 2 = ?",)))
    (answer,) = load_model(name).answer([Prompt(turns, ("3", "2"))], lambda _: pytest.fail("there is no image"))
    assert len(answer.logliks) == 2
