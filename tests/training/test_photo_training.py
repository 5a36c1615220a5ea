"""Training on drawings, around a vision tower for photos that has random weights."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from lcl_lab.concepts import load_dataset
from lcl_lab.episodes import draw_episode
from lcl_lab.errors import UserError
from lcl_lab.models import TransformersModel, find_checkpoint, load_model
from lcl_lab.models.engine.prefix_engine import PrefixEngine
from lcl_lab.prompts import chat
from lcl_lab.strategies import LinkEpisodes, NamingTasks
from lcl_lab.training import train_model
from lcl_lab.zoo.photo_training import _share_tower
from tests.concepts.drawings_factory import COLOURS, write_archive


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_archive(tmp_path_factory.mktemp("drawings") / "colours.zip")


@pytest.fixture(scope="module")
def trained(archive: Path, photo_prototype: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `prototype`, `base`, and `mix`, each trained for some steps from the one before."""
    folder = tmp_path_factory.mktemp("trained")
    shutil.copytree(photo_prototype, folder / "prototype")
    for name, start in (("base", "prototype"), ("mix", "base")):
        train_model(
            strategy=name,
            out=folder / name,
            start=str(folder / start),
            clip=str(folder / "prototype"),
            data=f"drawings:{archive}",
            held_out=f"drawings:{archive}",
            names="forms",
            images=9,
            batch=16 if name == "base" else 8,
            steps=150 if name == "base" else 4,
            learning_rate=5e-3,
            held_out_queries=4,
            threads=1,
        )
    return folder


@pytest.mark.slow
def test_base_learns_the_names_of_drawings(trained: Path, archive: Path) -> None:
    dataset = load_dataset(f"drawings:{archive}")
    model = load_model(str(trained / "base"))
    tasks = NamingTasks(dataset, images=9)
    prompts = [tasks.draw(np.random.default_rng(seed)) for seed in range(24)]
    answers = list(model.answer(prompts, dataset.image))
    right = np.mean([answer.text == prompt.candidates[0] for answer, prompt in zip(answers, prompts, strict=True)])
    assert right > 0.6  # chance is a quarter


@pytest.mark.slow
def test_a_trained_model_can_write_any_name(trained: Path, archive: Path) -> None:
    dataset = load_dataset(f"drawings:{archive}")
    model = load_model(str(trained / "mix"))
    assert isinstance(model, TransformersModel)
    assert isinstance(model.engine, PrefixEngine)
    episode = draw_episode(dataset, 0, 0, 4)
    names = ("Smörgås No. 7", "a very long name of more than twenty letters")
    prompt = chat(episode)
    changed = type(prompt)(prompt.turns, names)
    (answer,) = model.answer([changed], dataset.image)
    assert all(np.isfinite(loglik.total) and loglik.tokens > 3 for loglik in answer.logliks)


@pytest.mark.slow
def test_models_that_share_a_tower_answer_the_same(trained: Path, archive: Path, tmp_path: Path) -> None:
    shared = Path(shutil.copytree(trained, tmp_path / "shared"))
    _share_tower(shared / "mix")
    files = sorted(file.stat().st_size for file in (shared / "mix").glob("*.safetensors"))
    assert len(files) == 1
    assert files[0] < 3e6  # without the tower
    dataset = load_dataset(f"drawings:{archive}")
    prompts = [chat(draw_episode(dataset, 0, query, 4)) for query in range(4)]
    answers = [
        [answer.logliks for answer in load_model(str(folder / "mix")).answer(prompts, dataset.image)]
        for folder in (trained, shared)
    ]
    totals = [[loglik.total for logliks in run for loglik in logliks] for run in answers]
    assert totals[0] == pytest.approx(totals[1], abs=1e-4)
    (shared / "prototype" / "tower.safetensors").unlink()
    with pytest.raises(UserError, match=r"lacks \.\./prototype/tower.safetensors"):
        find_checkpoint(str(shared / "mix"))


@pytest.mark.slow
def test_the_tower_is_not_trained(trained: Path) -> None:
    towers = [load_model(str(trained / name)).network.model.vision_tower.state_dict() for name in ("base", "mix")]
    assert all(torch.equal(value, towers[1][name]) for name, value in towers[0].items())


def test_positives_have_names_of_every_form(archive: Path) -> None:
    dataset = load_dataset(f"drawings:{archive}")
    neighbours = np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]])
    links = LinkEpisodes(dataset, neighbours, images=9, names="forms")
    candidates = {name for seed in range(200) for name in links.draw(np.random.default_rng(seed), 4).candidates}
    invented = candidates - set(COLOURS)
    assert any(" " in name for name in invented)
    assert any(len(name) > 12 for name in invented)


def test_a_held_out_dataset_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^held_out world-dve: .*'world-dev'"):
        train_model(strategy="2-way", out=tmp_path / "model", held_out="world-dve")
