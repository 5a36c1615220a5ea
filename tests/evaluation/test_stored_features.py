from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from lcl_lab import evaluation
from lcl_lab.concepts import load_dataset
from lcl_lab.concepts.dataset_wrapper import DatasetWrapper
from lcl_lab.episodes import draw_episode
from lcl_lab.episodes.replaced_images import noise
from lcl_lab.evaluation.stored_features import stored_features
from lcl_lab.models import PROTOTYPE

WORLD = load_dataset("world-100")


def design(query: int) -> evaluation.Design:
    return evaluation.episode_design(WORLD, 1, [({}, lambda _: draw_episode(WORLD, 0, query, 2))])


def test_models_and_later_runs_load_an_image_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCL_LAB_CACHE", str(tmp_path))
    first = design(0)
    expected = evaluation.evaluate([PROTOTYPE, "mini/base"], first, progress=False)
    images = len(first.conditions[0].item(0).prompt.images)
    assert first.images.images_loaded == first.images.images_encoded == images
    later = design(0)
    again = evaluation.evaluate([PROTOTYPE, "mini/base"], later, progress=False)
    assert later.images.images_loaded == later.images.images_encoded == 0
    columns = ["model", "answer", "loglik_true", "loglik_other"]
    assert again[columns].equals(expected[columns])


def test_only_images_that_a_fingerprint_covers_have_stored_features() -> None:
    tower = SimpleNamespace(shape=(1,))
    query = draw_episode(WORLD, 0, 0, 2).query
    of_world, of_wrapper = stored_features(WORLD.image), stored_features(DatasetWrapper(WORLD).image)
    assert of_world(tower, "key", query) is not None  # type: ignore[arg-type]
    assert of_world(tower, "key", noise(query)) is None  # type: ignore[arg-type]
    assert of_wrapper(tower, "key", query) is None  # type: ignore[arg-type]
