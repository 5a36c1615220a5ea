"""Loads the image tower of a CLIP from the layouts of `transformers` and open_clip."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import open_clip
from open_clip.transformer import QuickGELU, VisionTransformer
from transformers import CLIPVisionConfig, CLIPVisionModel

from lcl_lab.errors import UserError, nearest
from lcl_lab.models.mini.vision_tower import vision_tower_from_open_clip

__all__ = ["load_vision_tower"]

_OPEN_CLIP_CONFIG = "open_clip_config.json"


def load_vision_tower(name: str) -> Any:
    """The image tower of a CLIP as a `CLIPVisionModel`.

    Args:
        name: folder or hub id of a CLIP of `transformers`, a folder with an open_clip_config.json, or
            `MODEL:PRETRAINED` for open_clip, where `PRETRAINED` is one of its tags or a weights file.

    Raises:
        UserError: there is no such CLIP.
    """
    is_folder = Path(name).is_dir()
    try:
        if is_folder and (Path(name) / _OPEN_CLIP_CONFIG).is_file():
            return _from_open_clip(open_clip.create_model(f"local-dir:{name}"), name)
        if not is_folder and ":" in name:
            architecture, _, pretrained = name.partition(":")
            if architecture not in open_clip.list_models():
                reason = f"unknown model of open_clip; {nearest(architecture, open_clip.list_models())}"
                raise UserError(reason, option="vision_tower", value=name)
            return _from_open_clip(open_clip.create_model(architecture, pretrained=pretrained), name)
        return CLIPVisionModel.from_pretrained(name)
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(" ".join(str(error).split())[:200], option="vision_tower", value=name) from error


def _from_open_clip(clip: Any, name: str) -> Any:
    visual = clip.visual
    if not isinstance(visual, VisionTransformer):
        reason = f"its image tower is a {type(visual).__name__}, not a vision transformer"
        raise UserError(reason, option="vision_tower", value=name)
    block = visual.transformer.resblocks[0]
    config = CLIPVisionConfig(
        hidden_size=visual.conv1.out_channels,
        intermediate_size=block.mlp.c_fc.out_features,
        num_hidden_layers=len(visual.transformer.resblocks),
        num_attention_heads=block.attn.num_heads,
        image_size=visual.conv1.kernel_size[0] * visual.grid_size[0],
        patch_size=visual.conv1.kernel_size[0],
        hidden_act="quick_gelu" if isinstance(block.mlp.gelu, QuickGELU) else "gelu",
        layer_norm_eps=visual.ln_pre.eps,
    )
    return vision_tower_from_open_clip(clip.state_dict(), config)
