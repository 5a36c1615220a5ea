"""The parts of a model by the names that its parameters have in `transformers`."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoConfig, AutoModelForImageTextToText

from lcl_lab.benchmarks.architectures import build
from lcl_lab.errors import UserError
from lcl_lab.training.trainable_parts import default_parts, frozen_modules, part_of, train_only

# Written down from the models of `transformers`, one of each way in which they are put together.
NAMES = {
    "model.language_model.layers.0.self_attn.q_proj.weight": "language",
    "lm_head.weight": "language",
    "model.text_model.layers.0.mlp.up_proj.weight": "language",  # SmolVLM, Idefics 3
    "model.multi_modal_projector.linear_1.weight": "projector",  # LLaVA, Gemma 3, InternVL, Mistral 3, Mllama
    "model.vision_tower.vision_model.encoder.layers.0.mlp.fc1.weight": "vision",
    "model.visual.blocks.0.attn.qkv.weight": "vision",  # Qwen
    "model.visual.merger.mlp.0.weight": "projector",
    "model.visual.deepstack_merger_list.0.linear_fc1.weight": "projector",  # Qwen 3
    "model.connector.modality_projection.proj.weight": "projector",
    "model.vision_model.embeddings.patch_embedding.weight": "vision",
    "model.embed_vision.embedding_projection.weight": "projector",  # Gemma 4
    "model.image_newline": "projector",  # LLaVA-NeXT
    "model.language_model.layers.3.cross_attn.q_proj.weight": "language",  # Mllama
    "resampler.layers.0.attention.query.weight": "projector",  # OpenFlamingo
    "language_model.transformer.blocks.0.cross_attention.attention_gate": "language",
}


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> torch.nn.Module:
    """A Qwen2.5-VL, whose projector is a module of its vision encoder, without weights."""
    folder = build("qwen2_5_vl", tmp_path_factory.mktemp("tiny") / "qwen")
    with torch.device("meta"):
        return AutoModelForImageTextToText.from_config(AutoConfig.from_pretrained(folder))


@pytest.mark.parametrize("name", NAMES)
def test_a_parameter_belongs_to_a_part(name: str) -> None:
    assert part_of(name) == NAMES[name]


@pytest.mark.parametrize(
    ("trained", "expected"),
    [
        (("language",), {"lm_head", "model.language_model"}),
        (("projector",), {"model.visual.merger"}),
        (("vision",), {"model.visual.blocks", "model.visual.patch_embed"}),
        (("language", "projector"), {"lm_head", "model.language_model", "model.visual.merger"}),
        (("model.visual.blocks.1", "lm_head.weight"), {"model.visual.blocks.1", "lm_head"}),
        (("*.blocks.*.attn",), {"model.visual.blocks.0.attn", "model.visual.blocks.1.attn"}),
    ],
)
def test_what_is_not_trained_is_frozen(network: torch.nn.Module, trained: tuple[str, ...], expected: set[str]) -> None:
    train_only(network, trained)
    changed = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    assert {one for one in expected if any(name.startswith(f"{one}.") for name in changed)} == expected
    assert all(name.startswith(tuple(f"{one}." for one in expected)) for name in changed)
    frozen = {id(parameter) for module in frozen_modules(network) for parameter in module.parameters()}
    assert frozen == {id(parameter) for parameter in network.parameters() if not parameter.requires_grad}


def test_language_model_and_projector_are_trained_unless_it_is_said(network: torch.nn.Module) -> None:
    assert default_parts(network) == ("language", "projector")
    assert default_parts(network.model.language_model) == ("language",)


@pytest.mark.parametrize(
    ("wrong", "hint"), [("projectr", "the nearest are 'projector'"), ("model.visual.mergr", "'model.visual.merger'")]
)
def test_an_unknown_part_is_one_line(network: torch.nn.Module, wrong: str, hint: str) -> None:
    with pytest.raises(UserError, match=f"train {wrong}: the model has no such part; .*{hint}"):
        train_only(network, ("language", wrong))
