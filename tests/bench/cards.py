"""Cards with a given link score."""

from __future__ import annotations

from lcl_lab.bench import Card


def card(model: str, score: float, width: float = 0.1, data: str = "world-100", preset: str = "default") -> Card:
    """The interval of the score is `width` to both sides."""
    numbers = {"estimate": score, "low": score - width, "high": min(1.0, score + width), "n": 100, "clusters": 50}
    row = {"study": "false_ratio", "estimand": "link score", "model": model, "metric": "candidate", "condition": {}}
    return Card(
        version="1",
        preset=preset,
        data=data,
        data_fingerprint="0123",
        model=model,
        fingerprint="4567",
        headlines={"link_score": numbers},
        estimates=[{**row, **{name: numbers[name] for name in ("estimate", "low", "high", "n")}}],
        skipped={"arithmetic": "it reads no text"},
        missing={"shots": 0.25, "false_ratio": 0.0},
        cost={"prompts": 1234, "seconds": 5.5, "prompt_tokens": None},
        origin={"command": f"lcl bench run --model {model}"},
    )
