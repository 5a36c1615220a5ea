"""A local server that returns the log-probabilities of prompts in the layout of vLLM, computed by a real model."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

from tests.servers import serving

__all__ = ["scoring_server"]


@contextmanager
def scoring_server(folder: Path) -> Iterator[str]:
    """The address of a server for the checkpoint in a folder."""
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
    processor, lock = AutoProcessor.from_pretrained(folder), Lock()

    def reply(request: dict[str, Any]) -> dict[str, Any]:
        with lock, torch.inference_mode():
            return _complete(model, processor, request)

    with serving(reply) as address:
        yield address


def _complete(model: Any, processor: Any, request: dict[str, Any]) -> dict[str, Any]:
    images: list[Image.Image] = []
    messages = [{"role": one["role"], "content": _parts(one["content"], images)} for one in request["messages"]]
    text = processor.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=request.get("add_generation_prompt", True)
    )
    options = {"images": images} if images else {}
    inputs = processor(text=[text], **options, return_tensors="pt", add_special_tokens=False)
    ids, start = inputs["input_ids"][0], inputs["input_ids"].shape[1]
    generated = model.generate(**inputs, do_sample=False, max_new_tokens=request["max_tokens"])[0, start:]
    ended = int(generated[-1]) == model.generation_config.eos_token_id
    answer = processor.tokenizer.decode(generated, skip_special_tokens=True)
    choice = {"message": {"role": "assistant", "content": answer}, "finish_reason": "stop" if ended else "length"}
    reply: dict[str, Any] = {"object": "chat.completion", "model": "it", "choices": [choice]}
    if request.get("return_token_ids"):
        reply["prompt_token_ids"] = ids.tolist()
    if "prompt_logprobs" in request:
        logprobs = model(**inputs).logits[0, :-1].log_softmax(-1).gather(-1, ids[1:, None])[:, 0]
        reply["prompt_logprobs"] = [None] + [
            {str(token): {"logprob": value, "rank": 1, "decoded_token": processor.tokenizer.decode([token])}}
            for token, value in zip(ids[1:].tolist(), logprobs.tolist(), strict=True)
        ]
    return reply


def _parts(content: Any, images: list[Image.Image]) -> list[dict[str, str]]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    parts = []
    for part in content:
        if part["type"] == "image_url":
            encoded = part["image_url"]["url"].partition(",")[2]
            images.append(Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB"))
            parts.append({"type": "image"})
        else:
            parts.append(part)
    return parts
