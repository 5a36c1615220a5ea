"""Sharing prefixes must not change results: every answer is compared with that of the reference engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import diskcache
import pytest
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor

from lcl_lab.benchmarks.architectures import build as build_tiny
from lcl_lab.concepts import load_dataset
from lcl_lab.episodes import draw_episode, falsify
from lcl_lab.errors import UserError
from lcl_lab.models import find_checkpoint, load_transformers_model
from lcl_lab.models.engine import attention
from lcl_lab.models.engine.cross_attention_engine import CrossAttentionEngine
from lcl_lab.models.engine.feature_disk_cache import FeatureDiskCache
from lcl_lab.models.engine.fork_engine import ForkEngine
from lcl_lab.models.engine.prefix_engine import PrefixEngine
from lcl_lab.models.engine.prefix_tree import build_tree
from lcl_lab.models.engine.prompt_encoder import PromptEncoder
from lcl_lab.models.engine.reference_engine import ReferenceEngine
from lcl_lab.models.interface import NEW_TOKENS, ModelSettings
from lcl_lab.models.transformers_model import TransformersModel
from lcl_lab.prompts import Prompt, chat
from tests.models.factories import ARCHITECTURES, build

WORLD = load_dataset("world-100")


def prompts(queries: int = 3) -> list[Prompt]:
    """Prompts with several shots and false ratios: some share a prefix, and some are a prefix of others."""
    return [
        chat(falsify(draw_episode(WORLD, 0, query, shots), ratio))
        for query in range(queries)
        for shots, ratio in ((0, 0.0), (2, 0.0), (4, 0.0), (4, 0.5), (4, 0.0))
    ]


@pytest.fixture(scope="module", params=list(ARCHITECTURES))
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(request.param, tmp_path_factory.mktemp(request.param))


def load(folder: Path) -> tuple[object, object]:
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
    return model.eval(), AutoProcessor.from_pretrained(folder)


def test_shared_prefixes_and_whole_prompts_give_the_same_answers(checkpoint: Path) -> None:
    model, processor = load(checkpoint)
    answers = list(TransformersModel("it", model, processor, "", 4).answer(prompts(), WORLD.image))
    reference = {
        n: (generated.text, logliks)
        for n, generated, logliks in ReferenceEngine(model, processor, PromptEncoder(processor), 1, NEW_TOKENS).answer(
            prompts(), WORLD.image
        )
    }
    assert len({answer.text for answer in answers}) > 1
    for number, answer in enumerate(answers):
        text, logliks = reference[number]
        assert answer.text == text
        for ours, theirs in zip(answer.logliks, logliks, strict=True):
            assert ours.tokens == theirs.tokens
            assert ours.total == pytest.approx(theirs.total, abs=1e-4)


@pytest.fixture(scope="module")
def llava(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("llava", tmp_path_factory.mktemp("llava"))


def results(model: TransformersModel, prompts: list[Prompt]) -> list[tuple[str, list[float]]]:
    return [(answer.text, [loglik.total for loglik in answer.logliks]) for answer in model.answer(prompts, WORLD.image)]


def equal(one: list[tuple[str, list[float]]], other: list[tuple[str, list[float]]]) -> bool:
    return all(a[0] == b[0] and a[1] == pytest.approx(b[1], abs=1e-4) for a, b in zip(one, other, strict=True))


def test_all_architectures_share_and_cross_attention_does_so_with_its_own_engine(checkpoint: Path) -> None:
    model, processor = load(checkpoint)
    engine = CrossAttentionEngine if model.config.model_type == "idefics" else PrefixEngine
    assert isinstance(TransformersModel("it", model, processor, "", 4).engine, engine)


def test_a_model_that_cannot_share_warns_once(
    tmp_path_factory: pytest.TempPathFactory, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path_factory.mktemp("molmo2") / "molmo2"
    build_tiny("molmo2", folder)  # its attention across images goes in both directions
    model = load_transformers_model(find_checkpoint(str(folder)), 4, "float32")
    results(model, prompts()[:2])
    results(model, prompts()[:2])
    messages = [record.message for record in caplog.records if "sharing" in record.message]
    assert messages == [f"{model.name} is evaluated without prefix sharing: its architecture does not support it"]


@pytest.mark.parametrize("broken", [("_flash",), ("_flash", "_attend")])
def test_an_attention_with_different_results_falls_back_to_another_and_to_copies_of_the_cache(
    llava: Path, monkeypatch: pytest.MonkeyPatch, broken: tuple[str, ...]
) -> None:
    expected = results(TransformersModel("it", *load(llava), "", 4), prompts())
    for name in broken:
        attend = getattr(attention, name)
        monkeypatch.setattr(attention, name, lambda query, *rest, attend=attend: attend(torch.tanh(query), *rest))
    model, processor = load(llava)
    fallback = TransformersModel("it", model, processor, "", 4)
    assert isinstance(fallback.engine, PrefixEngine if len(broken) == 1 else ForkEngine)
    implementation = "lcl_shared_joined" if len(broken) == 1 else "sdpa"
    assert model.config.text_config._attn_implementation == implementation
    assert equal(results(fallback, prompts()), expected)


def test_each_image_is_encoded_once_and_each_token_of_the_tree_computed_once(llava: Path) -> None:
    model, processor = load(llava)
    shared = TransformersModel("it", model, processor, "", 4)
    batch = [chat(draw_episode(WORLD, 0, query, shots, 4)) for query in range(8) for shots in (0, 2, 4)]
    results(shared, batch)
    assert shared.engine.images_encoded == len({ref for prompt in batch for ref in prompt.images})
    encode = PromptEncoder(processor)
    root = build_tree([encode(prompt).units(prompt.images) for prompt in batch])
    least = sum(1 if isinstance(unit, int) else 16 for node in root.descendants() for unit in node.units)
    assert least <= shared.engine.tokens_computed <= 1.1 * least
    results(shared, batch)
    assert shared.engine.images_encoded == len({ref for prompt in batch for ref in prompt.images})


def test_order_batch_size_and_other_prompts_do_not_change_results(llava: Path) -> None:
    expected = results(TransformersModel("it", *load(llava), "", 3), prompts())
    assert equal(results(TransformersModel("it", *load(llava), "", 32), prompts()[::-1])[::-1], expected)
    alone = TransformersModel("it", *load(llava), "", 1)
    assert equal([answer for prompt in prompts() for answer in results(alone, [prompt])], expected)


def test_groups_that_memory_cuts_unevenly_answer_equal(llava: Path) -> None:
    batch = [chat(draw_episode(WORLD, 0, query, 2, 3)) for query in range(9)]  # three queries of each support
    expected = results(TransformersModel("it", *load(llava), "", 1), batch)
    model, processor = load(llava)
    _limit(model, 5)
    assert equal(results(TransformersModel("it", model, processor, "", 9), batch), expected)


@pytest.mark.parametrize("name", ["llava", "idefics"])
def test_when_memory_runs_out_batches_halve_and_answers_stay_the_same(
    name: str, tmp_path_factory: pytest.TempPathFactory, caplog: pytest.LogCaptureFixture
) -> None:
    model, processor = load(build(name, tmp_path_factory.mktemp(name)))
    expected = results(TransformersModel("it", model, processor, "", 8), prompts(8))
    _limit(model, 3)
    tight = TransformersModel("it", model, processor, "", 8)
    assert equal(results(tight, prompts(8)), expected)
    assert tight.engine.batch_size == 2
    assert any("out of memory with a batch of 8 prompts; continuing with 4" in r.message for r in caplog.records)


def test_when_memory_runs_out_for_images_they_are_encoded_in_parts(
    llava: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = results(TransformersModel("it", *load(llava), "", 8), prompts())
    model, processor = load(llava)
    tight = TransformersModel("it", model, processor, "", 8)

    def refuse(module: torch.nn.Module, args: tuple[torch.Tensor, ...], kwargs: dict[str, torch.Tensor]) -> None:
        if len(args[0] if args else kwargs["pixel_values"]) > 3:
            raise torch.OutOfMemoryError

    model.model.vision_tower.register_forward_pre_hook(refuse, with_kwargs=True)
    assert equal(results(tight, prompts()), expected)
    assert tight.engine.images_encoded == len({ref for prompt in prompts() for ref in prompt.images})
    assert "images; continuing with" in caplog.text


def test_images_with_a_damaged_entry_on_disk_are_encoded_again(llava: Path, tmp_path: Path) -> None:
    store = FeatureDiskCache("it", "cpu", str(tmp_path))
    expected = results(TransformersModel("it", *load(llava), "", 4, store), prompts())
    with diskcache.Cache(str(tmp_path)) as entries:  # not through the cache, which stores a digest with each
        for key in list(entries):
            entries.set(key, b"damaged")
    again = TransformersModel("it", *load(llava), "", 4, store)
    assert equal(results(again, prompts()), expected)
    assert again.engine.images_encoded > 0


def test_too_little_memory_for_one_prompt_is_an_error(llava: Path) -> None:
    model, processor = load(llava)
    shared = TransformersModel("it", model, processor, "", 8)
    _limit(model, 0)
    with pytest.raises(UserError, match="out of memory with a batch of one of the prompts"):
        results(shared, prompts())


def _limit(model: torch.nn.Module, rows: int) -> None:
    """Let a model run out of memory with more than that many rows."""

    def refuse(module: torch.nn.Module, args: object, kwargs: dict[str, torch.Tensor]) -> None:
        if len(kwargs["input_ids"]) > rows:
            raise torch.OutOfMemoryError(f"{len(kwargs['input_ids'])} rows")

    model.register_forward_pre_hook(refuse, with_kwargs=True)


def test_features_on_disk_are_used_by_the_same_model_only(llava: Path, tmp_path: Path) -> None:
    model, processor = load(llava)
    first = TransformersModel("it", model, processor, "", 4, FeatureDiskCache("it", "cpu", str(tmp_path)))
    expected = results(first, prompts())
    second = TransformersModel("it", model, processor, "", 4, FeatureDiskCache("it", "cpu", str(tmp_path)))
    assert results(second, prompts()) == expected
    assert (first.engine.images_encoded > 0, second.engine.images_encoded) == (True, 0)
    other = TransformersModel("it", model, processor, "", 4, FeatureDiskCache("another", "cpu", str(tmp_path)))
    results(other, prompts()[:1])
    assert other.engine.images_encoded == 1


@pytest.mark.parametrize("name", ["llava", "idefics"])
def test_prompts_with_and_without_candidates_share_a_call(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    model, processor = load(build(name, tmp_path_factory.mktemp(name)))
    alike = [chat(draw_episode(WORLD, 0, query, 0)) for query in range(3)]
    mixed = [replace(one, candidates=one.candidates[:number]) for number, one in enumerate(alike)]
    reference = ReferenceEngine(model, processor, PromptEncoder(processor), 8, NEW_TOKENS)
    found = {number: logliks for number, _, logliks in reference.answer(mixed, WORLD.image)}
    assert [len(found[number]) for number in range(3)] == [0, 1, 2]
    shared = TransformersModel("it", model, processor, "", 8)
    answers = list(shared.answer(mixed, WORLD.image))
    assert [len(answer.logliks) for answer in answers] == [0, 1, 2]
    assert [answer.text for answer in answers] == [answer.text for answer in shared.answer(alike, WORLD.image)]


def test_candidates_that_do_not_fit_into_one_forward_pass_are_scored_in_several(llava: Path) -> None:
    model, processor = load(llava)
    names = tuple("a bee" * number for number in range(1, 7))
    prompt = replace(prompts()[1], candidates=names)
    ((_, _, expected),) = ReferenceEngine(model, processor, PromptEncoder(processor), 1, 1).answer(
        [prompt], WORLD.image
    )
    calls: list[int] = []
    shared = TransformersModel("it", model, processor, "", 4, settings=ModelSettings(max_new_tokens=1))
    model.register_forward_pre_hook(lambda *_: calls.append(1))
    (answer,) = shared.answer([prompt], WORLD.image)
    assert [one.tokens for one in answer.logliks] == [one.tokens for one in expected]
    assert [one.total for one in answer.logliks] == pytest.approx([one.total for one in expected], abs=1e-4)
    assert 2 < len(calls) < 1 + len(names)


def test_rows_that_have_ended_are_not_computed_and_do_not_change_others(llava: Path) -> None:
    shared = TransformersModel("it", *load(llava), "", 8)
    batch = [chat(draw_episode(WORLD, 0, query, 2, 3)) for query in range(6)]
    segments = [shared.engine.segment(shared.encoder(prompt), WORLD.image) for prompt in batch]
    rows = range(6)

    def decode(ends: set[int]) -> tuple[list[list[int]], list[int]]:
        state = shared.engine._prefill_whole(segments, 12)
        computed: list[int] = []
        hook = shared.network.register_forward_pre_hook(
            lambda _, args, kwargs: computed.append(len(kwargs["input_ids"])), with_kwargs=True
        )
        decoded = state.greedy(rows, ends, 12)
        hook.remove()
        return decoded, computed

    endless, computed = decode(set())
    assert computed == [6] * 11
    ends = {endless[0][0], endless[1][3], endless[2][5]}
    expected = [
        ids[: 1 + next((place for place, token in enumerate(ids) if token in ends), len(ids))] for ids in endless
    ]
    answers, computed = decode(ends)
    assert answers == expected
    assert len(set(map(len, answers))) > 1
    assert min(computed, default=0) < 6
