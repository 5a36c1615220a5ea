from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from lcl_lab.errors import UserError
from lcl_lab.models.clip_registry import load_clip_by_name
from lcl_lab.models.photo.efficientnet_weights import timm_weights
from lcl_lab.models.photo.photo_processor import photo_image_processor
from lcl_lab.models.photo.photo_vision_tower import TOWER_FILE, load_vision_tower


def noise(count: int) -> list[Image.Image]:
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (224, 224, 3), dtype=np.uint8)) for _ in range(count)]


def test_features_are_those_of_the_network_after_a_linear_map(photo_prototype: Path) -> None:
    tower = load_vision_tower(photo_prototype)
    network = timm.create_model("tf_efficientnet_lite0", num_classes=0).eval()
    network.load_state_dict(tower.network.state_dict())
    images = noise(2)
    pixels = torch.stack([torch.tensor(np.asarray(image) / 127.5 - 1).permute(2, 0, 1).float() for image in images])
    with torch.inference_mode():
        maps = network.forward_features(pixels)
        positions = maps.permute(0, 2, 3, 1).reshape(2, 49, 1280)
        expected = positions @ tower.whitening.weight.T + tower.whitening.bias
        output = tower(photo_image_processor()(images, return_tensors="pt")["pixel_values"])
    assert torch.allclose(output.last_hidden_state, expected, atol=1e-3)
    assert output.hidden_states[-1] is output.last_hidden_state


def test_a_clip_by_name_encodes_whole_images(photo_prototype: Path) -> None:
    clip = load_clip_by_name(str(photo_prototype))
    images = noise(3)
    features = clip.encode_images(images)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), np.ones(3), rtol=1e-5)
    alone = np.concatenate([clip.encode_images([image]) for image in images])
    np.testing.assert_allclose(features, alone, atol=1e-5)
    assert clip.encode_concepts([]) is None


def test_published_weights_get_the_names_of_timm() -> None:
    """Blocks are numbered throughout there, with the convolutions of a block in the order in which they run."""
    network = timm.create_model("tf_efficientnet_lite0", num_classes=0)
    published: dict[str, torch.Tensor] = {}
    outer = {"conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head", "bn2": "_bn1"}
    number = -1
    for name, value in network.state_dict().items():
        first, *rest = name.split(".")
        if first in outer:
            published[".".join([outer[first], *rest])] = value
            continue
        stage, _, part, leaf = rest
        depthwise = stage == "0"  # the only stage without expansion
        if part == ("conv_dw" if depthwise else "conv_pw") and leaf == "weight":
            number += 1
        steps = ["depthwise", "project"] if depthwise else ["expand", "depthwise", "project"]
        order = ["conv_dw", "conv_pw"] if depthwise else ["conv_pw", "conv_dw", "conv_pwl"]
        if part in order:
            key = f"_{steps[order.index(part)]}_conv"
        else:
            key = f"_bn{int(part[2]) if depthwise else int(part[2]) - 1}"
        published[f"_blocks.{number}.{key}.{leaf}"] = value
    published["_fc.weight"] = torch.zeros(1000, 1280)
    renamed = timm_weights(published, network)
    assert renamed.keys() == network.state_dict().keys()
    assert all(torch.equal(renamed[name], value) for name, value in network.state_dict().items())


def test_a_damaged_tower_is_one_line(photo_prototype: Path, tmp_path: Path) -> None:
    for file in photo_prototype.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes()[: 1000 if file.name == TOWER_FILE else None])
    with pytest.raises(UserError, match="cannot load"):
        load_vision_tower(tmp_path)
