"""Removing heads in a computation is compared with changing the weights that read them."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest
import torch

import lcl_lab as lcl
from lcl_lab.benchmarks.architectures import build
from lcl_lab.errors import UserError
from lcl_lab.models import TransformersModel, find_checkpoint
from lcl_lab.models.interventions import AblatedModel, Head, heads_of, heads_of_checkpoint, mean_outputs
from lcl_lab.models.transformers_model import load_transformers_model
from lcl_lab.prompts import Prompt, chat

WORLD = lcl.load_dataset("world-100")
PROMPTS = [chat(lcl.draw_episode(WORLD, 0, query, shots)) for query in range(3) for shots in (2, 4)]
REFERENCE = [chat(lcl.draw_episode(WORLD, 1, query, 2)) for query in range(4)]
ARCHITECTURES = ("llava", "qwen2_5_vl", "gemma3", "internvl", "mllama")


@pytest.fixture(params=ARCHITECTURES, scope="module")
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TransformersModel:
    folder = build(request.param, tmp_path_factory.mktemp(request.param))
    return load_transformers_model(find_checkpoint(str(folder)), 4)


def logliks(model: lcl.Model, prompts: list[Prompt] = PROMPTS) -> list[float]:
    return [loglik.total for answer in model.answer(prompts, WORLD.image) for loglik in answer.logliks]


@pytest.fixture
def projection(model: TransformersModel) -> Iterator[torch.nn.Linear]:
    """The projection of the last layer, whose weights are restored."""
    modules = model.network.get_decoder().named_modules()
    found = [module for name, module in modules if name.endswith("self_attn.o_proj")][-1]
    before = copy.deepcopy(found)
    yield found
    with torch.no_grad():
        found.weight.copy_(before.weight)
    found.bias = before.bias


def test_every_head_of_the_decoder_is_found_before_and_after_loading(model: TransformersModel) -> None:
    heads = heads_of(model)
    text = model.network.config.get_text_config(decoder=True)
    assert len(heads) == len({head.layer for head in heads}) * text.num_attention_heads
    assert heads == heads_of_checkpoint(find_checkpoint(model.name))


def test_a_head_without_output_is_one_whose_weights_are_zero(
    model: TransformersModel, projection: torch.nn.Linear
) -> None:
    last = heads_of(model)[-1]
    ablated = logliks(AblatedModel(model, [last]))
    width = projection.in_features // (last.number + 1)
    with torch.no_grad():
        projection.weight[:, -width:] = 0
    assert ablated == pytest.approx(logliks(model), abs=1e-4)


def test_a_head_with_its_mean_output_is_a_constant_after_the_projection(
    model: TransformersModel, projection: torch.nn.Linear
) -> None:
    """The mean is that of the inputs of the projection, recorded here with a hook of our own on single prompts."""
    last = heads_of(model)[-1]
    means = mean_outputs(model, REFERENCE, WORLD.image)
    ablated = logliks(AblatedModel(model, [last], means))
    width = projection.in_features // (last.number + 1)
    constant = projection.weight[:, -width:] @ means.by_layer[last.layer][-width:].float()
    with torch.no_grad():
        projection.weight[:, -width:] = 0
        bias = torch.zeros(len(constant)) if projection.bias is None else projection.bias
        projection.bias = torch.nn.Parameter(bias + constant)
    assert ablated == pytest.approx(logliks(model), abs=1e-4)


def test_means_are_over_all_tokens_of_the_prompts_and_their_answers(model: TransformersModel) -> None:
    """Identical prompts are computed once; means of one prompt are within the range of its outputs."""
    one, repeated = (mean_outputs(model, REFERENCE[:1] * count, WORLD.image) for count in (1, 2))
    for layer, mean in one.by_layer.items():
        assert torch.allclose(mean, repeated.by_layer[layer], atol=1e-5)
    assert one.prompts != repeated.prompts


def test_the_model_itself_stays_as_it_is(model: TransformersModel) -> None:
    before = logliks(model)
    ablated = AblatedModel(model, ["0.0"])
    assert logliks(ablated) != pytest.approx(before, abs=1e-6)
    assert logliks(model) == before
    assert logliks(AblatedModel(model, [])) == before


def test_an_ablation_is_part_of_the_fingerprint(model: TransformersModel) -> None:
    means = mean_outputs(model, REFERENCE, WORLD.image)
    variants = [
        model,
        AblatedModel(model, ["0.0"]),
        AblatedModel(model, ["0.1"]),
        AblatedModel(model, ["0.0", "0.1"]),
        AblatedModel(model, ["0.0"], means),
        AblatedModel(model, ["0.0"], mean_outputs(model, REFERENCE[:1], WORLD.image)),
    ]
    assert len({variant.fingerprint for variant in variants}) == len(variants)
    assert AblatedModel(model, ["0.1", "0.0"]).fingerprint == variants[3].fingerprint
    assert AblatedModel(model, ["0.0"]).name == f"{model.name} without 0.0"


@pytest.mark.parametrize(
    ("head", "message"),
    [("7.0", "has no head 7.0; did you mean"), ("0", "must be LAYER.NUMBER"), ("0.-1", "must be LAYER.NUMBER")],
)
def test_a_head_that_does_not_exist_is_one_line(model: TransformersModel, head: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        AblatedModel(model, [head])


@pytest.mark.parametrize("name", ["heuristic/last", "mini/prototype"])
def test_a_model_without_heads_is_one_line(name: str) -> None:
    with pytest.raises(UserError, match="has no attention heads to change"):
        heads_of_checkpoint(find_checkpoint(name))
    with pytest.raises(UserError, match="has no attention heads to change"):
        heads_of(lcl.load_model(name))


@pytest.mark.slow
def test_one_head_carries_the_link_of_the_shipped_model() -> None:
    """As the accuracy of the model without it shows: .53, where each other head leaves .9 or more."""
    model = lcl.load_model("mini/2-way")
    prompts = [chat(lcl.draw_episode(WORLD, 0, query, 4)) for query in range(100)]

    def accuracy(variant: lcl.Model) -> float:
        answers = list(variant.answer(prompts, WORLD.image))
        return sum(true.per_token > other.per_token for true, other in (one.logliks for one in answers)) / len(answers)

    assert accuracy(model) > 0.95
    assert accuracy(AblatedModel(model, [Head(0, 2)])) == pytest.approx(0.53, abs=0.02)
    assert accuracy(AblatedModel(model, [Head(0, 1)])) >= 0.9
    assert accuracy(AblatedModel(model, [Head(2, 1)])) >= 0.9
