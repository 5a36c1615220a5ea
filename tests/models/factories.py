"""Tiny untrained checkpoints of the architectures that people use, built from their configs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers as hf
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

__all__ = ["ARCHITECTURES", "build"]

_LETTERS = [chr(code) for code in range(33, 127)]
_TEXT = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
_VISION = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
_TEMPLATE = (
    "{{% for message in messages %}}<|{{{{ message.role }}}}|>{{% for part in message.content %}}"
    "{{{{ '{image}' if part.type == 'image' else part.text }}}}{{% endfor %}}"
    "{{{{ '<|end|>' if message.role == 'assistant' }}}}{{% endfor %}}"
    "{{{{ '<|assistant|>' if add_generation_prompt }}}}"
)


def tokenizer(special: list[str], **named: str) -> hf.PreTrainedTokenizerFast:
    """A byte-level tokenizer that spells everything but its special tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE({letter: number for number, letter in enumerate(alphabet)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    tokens = ["<pad>", "<s>", "<|user|>", "<|assistant|>", "<|end|>", *special]
    made.add_special_tokens([AddedToken(token, normalized=False) for token in tokens])
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", bos_token="<s>", eos_token="<|end|>", extra_special_tokens=named
    )


def _llava() -> tuple[Any, Any]:
    words = tokenizer(["<image>"], image_token="<image>")
    vision = hf.CLIPVisionConfig(**_VISION, image_size=32, patch_size=8)
    text = hf.LlamaConfig(**_TEXT, vocab_size=len(words))
    config = hf.LlavaConfig(vision_config=vision, text_config=text, image_token_index=words.image_token_id)
    images = hf.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    processor = hf.LlavaProcessor(
        images,
        words,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=_TEMPLATE.format(image="<image>"),
    )
    return hf.LlavaForConditionalGeneration(config), processor


def _llava_onevision() -> tuple[Any, Any]:
    words = tokenizer(["<image>", "<video>"], image_token="<image>", video_token="<video>")
    vision = hf.SiglipVisionConfig(**_VISION, image_size=32, patch_size=8, vision_use_head=False)
    text = hf.Qwen2Config(**_TEXT, vocab_size=len(words))
    pinpoints = [[32, 64], [64, 32], [64, 64]]
    config = hf.LlavaOnevisionConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=words.image_token_id,
        video_token_index=words.video_token_id,
        image_grid_pinpoints=pinpoints,
    )
    images = hf.LlavaOnevisionImageProcessor(size={"height": 32, "width": 32}, image_grid_pinpoints=pinpoints)
    processor = hf.LlavaOnevisionProcessor(
        images,
        words,
        hf.LlavaOnevisionVideoProcessor(size={"height": 32, "width": 32}),
        num_image_tokens=16,
        vision_feature_select_strategy="full",
        chat_template=_TEMPLATE.format(image="<image>"),
    )
    return hf.LlavaOnevisionForConditionalGeneration(config), processor


def _qwen_words() -> hf.PreTrainedTokenizerFast:
    marks = ["<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>"]
    return tokenizer(marks, image_token=marks[0], video_token=marks[1])


def _qwen_processor(kind: Any, words: Any, video: Any, patch: int) -> Any:
    images = hf.Qwen2VLImageProcessor(
        patch_size=patch, merge_size=2, size={"shortest_edge": 32 * 32, "longest_edge": 48 * 48}
    )
    template = _TEMPLATE.format(image="<|vision_start|><|image_pad|><|vision_end|>")
    return kind(images, words, video(patch_size=patch, merge_size=2), chat_template=template)


def _marks(words: Any) -> dict[str, int]:
    names = {"image_token_id": "<|image_pad|>", "video_token_id": "<|video_pad|>"}
    names |= {"vision_start_token_id": "<|vision_start|>", "vision_end_token_id": "<|vision_end|>"}
    return {name: words.convert_tokens_to_ids(token) for name, token in names.items()}


def _qwen2_5_vl() -> tuple[Any, Any]:
    words = _qwen_words()
    text = _TEXT | {"vocab_size": len(words), "rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2]}}
    vision = {
        "depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "patch_size": 8,
        "out_hidden_size": 32, "fullatt_block_indexes": [1], "window_size": 32,
    }  # fmt: skip
    config = hf.Qwen2_5_VLConfig(text_config=text, vision_config=vision, **_marks(words))
    processor = _qwen_processor(hf.Qwen2_5_VLProcessor, words, hf.Qwen2VLVideoProcessor, 8)
    return hf.Qwen2_5_VLForConditionalGeneration(config), processor


def _qwen3_vl() -> tuple[Any, Any]:
    words = _qwen_words()
    text = _TEXT | {
        "vocab_size": len(words),
        "head_dim": 8,
        "rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0},
    }
    vision = {
        "depth": 3, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "patch_size": 8,
        "out_hidden_size": 32, "num_position_embeddings": 36, "deepstack_visual_indexes": [0, 1],
    }  # fmt: skip
    config = hf.Qwen3VLConfig(text_config=text, vision_config=vision, **_marks(words))
    processor = _qwen_processor(hf.Qwen3VLProcessor, words, hf.Qwen3VLVideoProcessor, 8)
    return hf.Qwen3VLForConditionalGeneration(config), processor


_IDEFICS_MARKS = [
    "<image>",
    "<fake_token_around_image>",
    "<end_of_utterance>",
    "<global-img>",
    *(f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)),
]


def _tiled(kind: Any, words: Any) -> Any:
    """The config of a model that cuts images into tiles."""
    return kind(
        vision_config=_VISION | {"image_size": 32, "patch_size": 8},
        text_config=hf.LlamaConfig(**_TEXT, vocab_size=len(words), pad_token_id=words.pad_token_id),
        image_token_id=words.convert_tokens_to_ids("<image>"),
        scale_factor=2,
    )


def _idefics3() -> tuple[Any, Any]:
    words = tokenizer(_IDEFICS_MARKS)
    images = hf.Idefics3ImageProcessor(size={"longest_edge": 64}, max_image_size={"longest_edge": 32})
    template = _TEMPLATE.format(image="<image>")
    processor = hf.Idefics3Processor(images, words, image_seq_len=4, chat_template=template)
    return hf.Idefics3ForConditionalGeneration(_tiled(hf.Idefics3Config, words)), processor


def _smolvlm() -> tuple[Any, Any]:
    words = tokenizer(_IDEFICS_MARKS)
    images = hf.SmolVLMImageProcessor(size={"longest_edge": 64}, max_image_size={"longest_edge": 32})
    template = _TEMPLATE.format(image="<image>")
    video = hf.SmolVLMVideoProcessor(size={"longest_edge": 64}, max_image_size={"longest_edge": 32})
    processor = hf.SmolVLMProcessor(images, words, video, image_seq_len=4, chat_template=template)
    return hf.SmolVLMForConditionalGeneration(_tiled(hf.SmolVLMConfig, words)), processor


def _internvl() -> tuple[Any, Any]:
    marks = {
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    }
    words = tokenizer(list(marks.values()), **marks)
    config = hf.InternVLConfig(
        vision_config=_VISION | {"image_size": [32, 32], "patch_size": [8, 8]},
        text_config=hf.Qwen2Config(**_TEXT, vocab_size=len(words)),
        image_token_id=words.context_image_token_id,
        image_seq_length=4,
    )
    processor = hf.InternVLProcessor(
        hf.GotOcr2ImageProcessor(size={"height": 32, "width": 32}),
        words,
        hf.InternVLVideoProcessor(size={"height": 32, "width": 32}),
        image_seq_length=4,
        chat_template=_TEMPLATE.format(image="<IMG_CONTEXT>"),
    )
    return hf.InternVLForConditionalGeneration(config), processor


def _idefics() -> tuple[Any, Any]:
    """The reproduction of Flamingo: images come in by cross-attention, through gates that are opened here."""
    words = tokenizer(["<image>", "<fake_token_around_image>"])
    config = hf.IdeficsConfig(
        vocab_size=len(words),
        additional_vocab_size=0,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        cross_layer_interval=1,
        use_resampler=True,
        alpha_initializer="ones",
        pad_token_id=words.pad_token_id,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        vision_config={
            "embed_dim": 32, "image_size": 32, "patch_size": 8, "num_hidden_layers": 2,
            "num_attention_heads": 2, "intermediate_size": 64,
        },
        perceiver_config={
            "resampler_n_latents": 4, "resampler_depth": 1, "resampler_n_heads": 2,
            "resampler_head_dim": 8, "use_resampler": True,
        },
    )  # fmt: skip
    processor = hf.IdeficsProcessor(hf.IdeficsImageProcessor(image_size=32), words, image_size=32)
    return hf.IdeficsForVisionText2Text(config), processor


ARCHITECTURES: dict[str, Callable[[], tuple[Any, Any]]] = {
    "llava": _llava,
    "llava-onevision": _llava_onevision,
    "qwen2.5-vl": _qwen2_5_vl,
    "qwen3-vl": _qwen3_vl,
    "idefics": _idefics,
    "idefics3": _idefics3,
    "smolvlm": _smolvlm,
    "internvl": _internvl,
}


def build(name: str, folder: Path) -> Path:
    """Write the checkpoint of that architecture; weights large enough that prompts move the answers."""
    torch.manual_seed(3)
    model, processor = ARCHITECTURES[name]()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(4)
    model.generation_config.eos_token_id = processor.tokenizer.eos_token_id
    model.generation_config.pad_token_id = processor.tokenizer.pad_token_id
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
