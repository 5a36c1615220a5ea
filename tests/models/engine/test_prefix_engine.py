"""What is shared must change nothing: every answer is held against the model's own way through the whole prompt."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor

from lcl_lab.concepts import load_dataset
from lcl_lab.episodes import draw_episode, falsify
from lcl_lab.errors import UserError
from lcl_lab.models import attention
from lcl_lab.models.engine.feature_disk_cache import FeatureDiskCache
from lcl_lab.models.engine.prefix_engine import can_share
from lcl_lab.models.engine.prefix_tree import grow
from lcl_lab.models.engine.prompt_encoder import Encoder
from lcl_lab.models.engine.reference_engine import ReferenceEngine
from lcl_lab.models.transformers_model import HFModel
from lcl_lab.prompts import Prompt, chat
from tests.models.factories import ARCHITECTURES, build

WORLD = load_dataset("world-100")


def prompts(queries: int = 3) -> list[Prompt]:
    """Prompts of several shots and false ratios, so that some begin alike and some end within others."""
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


def test_shared_and_whole_prompts_give_the_same(checkpoint: Path) -> None:
    model, processor = load(checkpoint)
    answers = list(HFModel("it", model, processor, "", 4).answer(prompts(), WORLD.image))
    plain = {
        n: (text, logliks)
        for n, text, logliks in ReferenceEngine(model, processor, Encoder(processor), 1).answer(prompts(), WORLD.image)
    }
    assert len({answer.text for answer in answers}) > 1
    for number, answer in enumerate(answers):
        text, logliks = plain[number]
        assert answer.text == text
        for ours, theirs in zip(answer.logliks, logliks, strict=True):
            assert ours.tokens == theirs.tokens
            assert ours.total == pytest.approx(theirs.total, abs=1e-4)


@pytest.fixture(scope="module")
def llava(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("llava", tmp_path_factory.mktemp("llava"))


def said(model: HFModel, asked: list[Prompt]) -> list[tuple[str, list[float]]]:
    return [(answer.text, [loglik.total for loglik in answer.logliks]) for answer in model.answer(asked, WORLD.image)]


def alike(one: list[tuple[str, list[float]]], other: list[tuple[str, list[float]]]) -> bool:
    return all(a[0] == b[0] and a[1] == pytest.approx(b[1], abs=1e-4) for a, b in zip(one, other, strict=True))


def test_all_but_cross_attention_can_share(checkpoint: Path) -> None:
    model, _ = load(checkpoint)
    assert can_share(model) == (model.config.model_type != "idefics")


def test_what_cannot_share_says_so_once(
    tmp_path_factory: pytest.TempPathFactory, caplog: pytest.LogCaptureFixture
) -> None:
    model = HFModel("flamingo", *load(build("idefics", tmp_path_factory.mktemp("idefics"))), "", 4)
    said(model, prompts()[:2])
    said(model, prompts()[:2])
    told = [record.message for record in caplog.records if "cannot share" in record.message]
    assert told == ["flamingo cannot share prefixes: every prompt is read in full"]


def test_another_kind_of_attention_is_noticed(llava: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = said(HFModel("it", *load(llava), "", 4), prompts())
    capped = attention._attend
    monkeypatch.setattr(attention, "_attend", lambda query, *rest: capped(torch.tanh(query), *rest))
    model, processor = load(llava)
    fallen_back = HFModel("it", model, processor, "", 4)
    assert isinstance(fallen_back.reader, ReferenceEngine)
    assert model.config.text_config._attn_implementation == "sdpa"
    assert alike(said(fallen_back, prompts()), expected)


def test_each_image_is_looked_at_once_and_each_token_of_the_tree_computed_once(llava: Path) -> None:
    model, processor = load(llava)
    shared = HFModel("it", model, processor, "", 4)
    asked = [chat(draw_episode(WORLD, 0, query, shots, 4)) for query in range(8) for shots in (0, 2, 4)]
    said(shared, asked)
    assert shared.reader.looked == len({ref for prompt in asked for ref in prompt.images})
    encode = Encoder(processor)
    root = grow([encode(prompt).units(encode.placeholder, prompt.images) for prompt in asked])
    least = sum(1 if isinstance(unit, int) else 16 for node in root.below() for unit in node.units)
    assert least <= shared.reader.computed <= 1.1 * least
    said(shared, asked)
    assert shared.reader.looked == len({ref for prompt in asked for ref in prompt.images})


def test_order_batch_and_company_move_nothing(llava: Path) -> None:
    expected = said(HFModel("it", *load(llava), "", 3), prompts())
    assert alike(said(HFModel("it", *load(llava), "", 32), prompts()[::-1])[::-1], expected)
    alone = HFModel("it", *load(llava), "", 1)
    assert alike([answer for prompt in prompts() for answer in said(alone, [prompt])], expected)


def test_groups_that_memory_cuts_unevenly_answer_alike(llava: Path) -> None:
    asked = [chat(draw_episode(WORLD, 0, query, 2, 3)) for query in range(9)]  # three queries of each support
    expected = said(HFModel("it", *load(llava), "", 1), asked)
    model, processor = load(llava)
    _limit(model, 5)
    assert alike(said(HFModel("it", model, processor, "", 9), asked), expected)


@pytest.mark.parametrize("name", ["llava", "idefics"])
def test_where_memory_runs_out_batches_halve_and_answers_stay(
    name: str, tmp_path_factory: pytest.TempPathFactory, caplog: pytest.LogCaptureFixture
) -> None:
    model, processor = load(build(name, tmp_path_factory.mktemp(name)))
    expected = said(HFModel("it", model, processor, "", 8), prompts(8))
    _limit(model, 3)
    tight = HFModel("it", model, processor, "", 8)
    assert alike(said(tight, prompts(8)), expected)
    assert tight.reader.batch_size == 2
    assert any("out of memory with 8 prompts at once; going on with 4" in r.message for r in caplog.records)


def test_where_memory_runs_out_for_images_they_are_looked_at_in_parts(
    llava: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = said(HFModel("it", *load(llava), "", 8), prompts())
    model, processor = load(llava)
    tight = HFModel("it", model, processor, "", 8)

    def refuse(module: torch.nn.Module, args: tuple[torch.Tensor, ...], kwargs: dict[str, torch.Tensor]) -> None:
        if len(args[0] if args else kwargs["pixel_values"]) > 3:
            raise torch.OutOfMemoryError

    model.model.vision_tower.register_forward_pre_hook(refuse, with_kwargs=True)
    assert alike(said(tight, prompts()), expected)
    assert tight.reader.looked == len({ref for prompt in prompts() for ref in prompt.images})
    assert "images at once" in caplog.text


def test_a_damaged_entry_on_disk_is_looked_at_again(llava: Path, tmp_path: Path) -> None:
    store = FeatureDiskCache("it", "cpu", str(tmp_path))
    expected = said(HFModel("it", *load(llava), "", 4, store), prompts())
    for key in list(store._cache):
        store._cache.set(key, b"damaged")
    again = HFModel("it", *load(llava), "", 4, store)
    assert alike(said(again, prompts()), expected)
    assert again.reader.looked > 0


def test_too_little_memory_for_one_prompt_is_one_line(llava: Path) -> None:
    model, processor = load(llava)
    shared = HFModel("it", model, processor, "", 8)
    _limit(model, 0)
    with pytest.raises(UserError, match="out of memory with prompts one at a time"):
        said(shared, prompts())


def _limit(model: torch.nn.Module, rows: int) -> None:
    """Let a model have memory for so many rows and no more."""

    def refuse(module: torch.nn.Module, args: object, kwargs: dict[str, torch.Tensor]) -> None:
        if len(kwargs["input_ids"]) > rows:
            raise torch.OutOfMemoryError(f"{len(kwargs['input_ids'])} rows")

    model.register_forward_pre_hook(refuse, with_kwargs=True)


def test_features_are_kept_on_disk_by_content(llava: Path, tmp_path: Path) -> None:
    model, processor = load(llava)
    first = HFModel("it", model, processor, "", 4, FeatureDiskCache("it", "cpu", str(tmp_path)))
    expected = said(first, prompts())
    second = HFModel("it", model, processor, "", 4, FeatureDiskCache("it", "cpu", str(tmp_path)))
    assert said(second, prompts()) == expected
    assert (first.reader.looked > 0, second.reader.looked) == (True, 0)
    other = HFModel("it", model, processor, "", 4, FeatureDiskCache("another", "cpu", str(tmp_path)))
    said(other, prompts()[:1])
    assert other.reader.looked == 1


def test_features_on_disk_are_bounded(tmp_path: Path) -> None:
    store = FeatureDiskCache("it", "cpu", str(tmp_path), size=10_000_000)
    for number in range(400):
        store.put({str(number): {"ids": (1,), "features": torch.zeros(64, 256), "deep": (), "grid": None}})
    assert sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file()) < 20_000_000
    assert list(store.get(["0", "399"])) == ["399"]
