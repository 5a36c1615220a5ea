"""Options of mining hard negatives."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from lcl_lab.config import Config

__all__ = ["MineConfig"]


class MineConfig(Config):
    """Options of mining hard negatives."""

    data: str = Field("world-900", description="dataset, or a Python file that makes one")
    clip: str = Field(
        "mini/prototype",
        description="mining model: mini/prototype, or MODEL:PRETRAINED of open_clip, such as ViT-L-14:openai or "
        "ViT-L-14:weights.pt",
    )
    out: Path = Field(Path("train900_pairs.jsonl"), description="file to write")
    images: int = Field(100, ge=1, description="images per concept to encode, at most")
    count: int | None = Field(None, ge=1, description="neighbours per concept (default: 100, or all if fewer)")
    weights: tuple[float, float, float] = Field(
        (0.5, 0.25, 0.25), description="weights of image-image, image-text and text-text similarity"
    )
    seed: int = Field(0, ge=0, description="random seed")
