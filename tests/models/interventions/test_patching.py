"""Patched computations are compared with plain forward passes of whole prompts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor

import lcl_lab as lcl
from lcl_lab.benchmarks.architectures import build
from lcl_lab.episodes import falsify, rename
from lcl_lab.errors import UserError
from lcl_lab.models import TransformersModel, find_checkpoint
from lcl_lab.models.engine.reference_engine import accepted_inputs, process_prompts
from lcl_lab.models.interventions import Head, Patcher, Site, name_alignment
from lcl_lab.models.transformers_model import load_transformers_model
from lcl_lab.prompts import Prompt, chat

WORLD = lcl.load_dataset("world-100")
_DRAWN = lcl.draw_episode(WORLD, 0, 0, 4)
EPISODE = rename(_DRAWN, {_DRAWN.true_name: "dax", _DRAWN.other_name: "wug"})
INTACT, FALSE = chat(EPISODE), chat(falsify(EPISODE, 1.0))
NOTHING = Site()
ARCHITECTURES = ("llava", "qwen2_5_vl", "gemma3", "internvl")


@pytest.fixture(params=ARCHITECTURES, scope="module")
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def model(folder: Path) -> TransformersModel:
    return load_transformers_model(find_checkpoint(str(folder)), 3)


def plain_logliks(folder: Path, model: TransformersModel, prompt: Prompt) -> list[float]:
    """Log-probabilities of the first tokens of the candidates by one forward pass of `transformers`."""
    plain = AutoModelForImageTextToText.from_pretrained(folder).eval()
    inputs = process_prompts(AutoProcessor.from_pretrained(folder), model.encoder, [prompt], WORLD.image)
    accepted = {name: value for name, value in inputs.items() if name in accepted_inputs(plain)}
    with torch.inference_mode():
        logits = plain(**accepted).logits[0, -1].float().log_softmax(-1)
    return [float(logits[ids[0]]) for ids in model.encoder(prompt).candidates]


def patched(model: TransformersModel, prompt: Prompt, source: Prompt, *sites: Site) -> list[list[float]]:
    rows = Patcher(model).first_token_logliks(prompt, source, sites, WORLD.image)
    return [[loglik.total for loglik in row] for row in rows]


def test_without_a_change_logits_are_those_of_a_full_run(folder: Path, model: TransformersModel) -> None:
    everywhere = [
        NOTHING,
        *(Site(layer=layer, tokens=kind) for layer in (0, 1) for kind in ("images", "labels", "query")),
    ]  # type: ignore[arg-type]
    heads = [Site(head=Head(layer, number)) for layer in (0, 1) for number in range(4)]
    for prompt in (INTACT, FALSE):
        expected = plain_logliks(folder, model, prompt)
        for row in patched(model, prompt, prompt, *everywhere, *heads):
            assert row == pytest.approx(expected, abs=1e-4)
    assert patched(model, FALSE, INTACT, NOTHING)[0] == pytest.approx(plain_logliks(folder, model, FALSE), abs=1e-4)


def test_the_whole_query_after_the_last_layer_gives_the_logits_of_the_source(
    folder: Path, model: TransformersModel
) -> None:
    (row,) = patched(model, FALSE, INTACT, Site(layer=1, tokens="query"))
    assert row == pytest.approx(plain_logliks(folder, model, INTACT), abs=1e-4)


def test_a_patched_head_is_that_of_a_plain_forward_pass_with_a_hook(folder: Path, model: TransformersModel) -> None:
    """The output of a head at the last token, exchanged by hooks on the plain model."""
    plain = AutoModelForImageTextToText.from_pretrained(folder).eval()
    processor = AutoProcessor.from_pretrained(folder)
    (projection,) = [
        module for name, module in plain.get_decoder().named_modules() if name == "layers.1.self_attn.o_proj"
    ]
    width = projection.in_features // 4

    def logits(prompt: Prompt, hook: object) -> torch.Tensor:
        inputs = process_prompts(processor, model.encoder, [prompt], WORLD.image)
        accepted = {name: value for name, value in inputs.items() if name in accepted_inputs(plain)}
        handle = projection.register_forward_pre_hook(hook)
        with torch.inference_mode():
            found: torch.Tensor = plain(**accepted).logits[0, -1].float().log_softmax(-1)
        handle.remove()
        return found

    kept: list[torch.Tensor] = []
    logits(INTACT, lambda _, inputs: kept.append(inputs[0][0, -1].clone()))

    def replace(_: object, inputs: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        changed = inputs[0].clone()
        changed[0, -1, 2 * width : 3 * width] = kept[0][2 * width : 3 * width]
        return (changed,)

    expected = logits(FALSE, replace)
    (row,) = patched(model, FALSE, INTACT, Site(head=Head(1, 2)))
    assert row == pytest.approx([float(expected[ids[0]]) for ids in model.encoder(FALSE).candidates], abs=1e-4)


def test_prompts_whose_tokens_do_not_correspond_are_one_line(model: TransformersModel) -> None:
    longer = chat(rename(EPISODE, {"dax": "dax", "wug": "wugwug"}))
    with pytest.raises(UserError, match="names of equally many tokens are needed"):
        patched(model, FALSE, longer, NOTHING)


@pytest.mark.parametrize(
    ("true", "other", "aligned"), [("dax", "wug", True), ("dax", "dug", False), ("dax", "wugs", False)]
)
def test_names_are_aligned_with_as_many_tokens_and_another_first_one(
    model: TransformersModel, true: str, other: str, aligned: bool
) -> None:
    assert name_alignment(find_checkpoint(model.name), EPISODE)(true, other) is aligned


def test_the_mapping_is_built_at_the_labels_and_read_at_the_query() -> None:
    """In the shipped model: after the first layer it is all at the labels, after the second all at the query."""
    model = lcl.load_model("mini/2-way")
    sites = {
        (layer, kind): Site(layer=layer, tokens=kind) for layer in (0, 1) for kind in ("images", "labels", "query")
    }  # type: ignore[arg-type]
    (source,) = patched(model, INTACT, INTACT, NOTHING)
    (false, *rows) = patched(model, FALSE, INTACT, NOTHING, *sites.values())
    whole = (source[0] - source[1]) - (false[0] - false[1])
    regained = {
        place: ((row[0] - row[1]) - (false[0] - false[1])) / whole for place, row in zip(sites, rows, strict=True)
    }
    assert whole > 2
    assert regained[0, "labels"] == pytest.approx(1, abs=0.05)
    assert regained[1, "query"] == pytest.approx(1, abs=0.05)
    for place in ((0, "images"), (0, "query"), (1, "images"), (1, "labels")):
        assert regained[place] == pytest.approx(0, abs=0.05)
