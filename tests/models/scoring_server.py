"""Local servers that return the log-probabilities of prompts as vLLM and SGLang do, computed by a real model."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

from tests.servers import serving

__all__ = ["sglang_server", "vllm_server"]

_Change = Callable[[dict[str, Any]], Any]


@contextmanager
def vllm_server(folder: Path, change: _Change = lambda reply: reply) -> Iterator[str]:
    """The address of a server for the checkpoint in a folder, whose chat completions have `prompt_logprobs`.

    Args:
        folder: the checkpoint.
        change: returns what is sent instead of a reply.
    """
    model, processor, lock = *_load(folder), Lock()

    def complete(request: dict[str, Any]) -> Any:
        with lock, torch.inference_mode():
            reply, _ = _complete(model, processor, request, partial(_encode, processor, add_special_tokens=False))
        return change(reply)

    with serving(complete) as address:
        yield address


@contextmanager
def sglang_server(
    folder: Path, old: bool = False, template: str = "", change: _Change = lambda reply: reply
) -> Iterator[str]:
    """The address of a server for the checkpoint in a folder with the native `/generate` of SGLang.

    Args:
        folder: the checkpoint.
        old: behave like versions before 0.5: the tokenizer's special tokens are added to every text with images, also
            after those of a template, and no reply has the ids of a prompt.
        template: text in front of the chat template, as if the server was started with another one.
        change: returns what is sent instead of a reply.
    """
    model, processor, lock = *_load(folder), Lock()
    served = AutoProcessor.from_pretrained(folder)
    served.chat_template = template + processor.chat_template
    start = processor.tokenizer.bos_token

    def encode(text: str, images: list[Image.Image]) -> Any:
        is_added = old or not images or not text.startswith(start)
        return _encode(processor, text, images, add_special_tokens=is_added)

    def complete(request: dict[str, Any]) -> Any:
        known = {key: value for key, value in request.items() if key not in ("prompt_logprobs", "return_token_ids")}
        with lock, torch.inference_mode():
            reply, ids = _complete(model, served, known, encode)
        if request.get("return_prompt_token_ids") and not old:
            reply["choices"][0]["prompt_token_ids"] = ids
        return change(reply)

    def generate(request: dict[str, Any]) -> Any:
        inputs = encode(request["text"], [_decode(url) for url in request.get("image_data", [])])
        ids = inputs["input_ids"][0].tolist()
        reply: dict[str, Any] = {"text": "", "meta_info": {"prompt_tokens": len(ids)}}
        if request.get("return_prompt_token_ids") and not old:
            reply["prompt_token_ids"] = ids
        if request.get("return_logprob"):
            first = request["logprob_start_len"]
            # Images are hashes beyond the vocabulary, which are replaced in replies, and so is the last token.
            hidden = (model.config.image_token_id, model.config.text_config.vocab_size - 1)
            with lock:
                logprobs = [None, *_logprobs(model, inputs)[first:]]
            reply["meta_info"]["input_token_logprobs"] = [
                [logprob, 0 if token in hidden else token, None]
                for logprob, token in zip(logprobs, ids[first:], strict=True)
            ]
        return change(reply)

    described = {"model_path": str(folder), "tokenizer_path": str(folder), "is_generation": True}
    description = "/get_model_info" if old else "/model_info"
    with serving(complete, {description: lambda _: described, "/generate": generate}) as address:
        yield address


def _load(folder: Path) -> tuple[Any, Any]:
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
    return model, AutoProcessor.from_pretrained(folder)


def _complete(
    model: Any, processor: Any, request: dict[str, Any], encode: Callable[[str, list[Image.Image]], Any]
) -> tuple[dict[str, Any], list[int]]:
    """A chat completion, and the ids of its prompt."""
    images: list[Image.Image] = []
    messages = [{"role": one["role"], "content": _parts(one["content"], images)} for one in request["messages"]]
    switches = request.get("chat_template_kwargs", {})
    text = processor.apply_chat_template(
        messages,
        tokenize=False,
        add_generation_prompt=request.get("add_generation_prompt", True),
        **{name: value for name, value in switches.items() if name in processor.chat_template},
    )
    inputs = encode(text, images)
    ids, start = inputs["input_ids"][0], inputs["input_ids"].shape[1]
    generated = model.generate(**inputs, do_sample=False, max_new_tokens=request["max_tokens"])[0, start:]
    ended = int(generated[-1]) == model.generation_config.eos_token_id
    answer = processor.tokenizer.decode(generated, skip_special_tokens=True)
    choice = {"message": {"role": "assistant", "content": answer}, "finish_reason": "stop" if ended else "length"}
    usage = {"prompt_tokens": start, "completion_tokens": len(generated), "total_tokens": start + len(generated)}
    reply: dict[str, Any] = {"object": "chat.completion", "model": "it", "choices": [choice], "usage": usage}
    if request.get("return_token_ids"):
        reply["prompt_token_ids"] = ids.tolist()
    if "prompt_logprobs" in request:
        reply["prompt_logprobs"] = [None] + [
            {str(token): {"logprob": value, "rank": 1, "decoded_token": processor.tokenizer.decode([token])}}
            for token, value in zip(ids[1:].tolist(), _logprobs(model, inputs), strict=True)
        ]
    return reply, ids.tolist()


def _encode(processor: Any, text: str, images: list[Image.Image], add_special_tokens: bool) -> Any:
    options = {"images": images} if images else {}
    return processor(text=[text], **options, return_tensors="pt", add_special_tokens=add_special_tokens)


def _logprobs(model: Any, inputs: Any) -> list[float]:
    """The log-probability of every token but the first."""
    following = inputs["input_ids"][0, 1:, None]
    with torch.inference_mode():
        values = model(**inputs).logits[0, :-1].log_softmax(-1).gather(-1, following)
    return [float(value) for value in values[:, 0]]


def _decode(url: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB")


def _parts(content: Any, images: list[Image.Image]) -> list[dict[str, str]]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    parts = []
    for part in content:
        if part["type"] == "image_url":
            images.append(_decode(part["image_url"]["url"]))
            parts.append({"type": "image"})
        else:
            parts.append(part)
    return parts
