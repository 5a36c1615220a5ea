"""Processors for tiny images: tokenizer, image processor, chat template."""

from __future__ import annotations

import inspect
from typing import Any

import transformers as hf
from transformers.models.auto.feature_extraction_auto import FEATURE_EXTRACTOR_MAPPING_NAMES
from transformers.models.auto.image_processing_auto import IMAGE_PROCESSOR_MAPPING_NAMES
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING_NAMES
from transformers.models.auto.video_processing_auto import VIDEO_PROCESSOR_MAPPING_NAMES

from lcl_lab.benchmarks.architectures.recipes import IMAGE_SIZE, PATCH_SIZE, Recipe
from lcl_lab.benchmarks.architectures.tokenizer import byte_tokenizer

__all__ = ["tiny_processor"]

_TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message.role + '|>' }}"
    "{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content %}"
    "{{ 'IMAGE' if part.type == 'image' else part.text }}"
    "{% endfor %}{% endif %}{{ '</s>' if message.role == 'assistant' }}{% endfor %}"
    "{{ '<|assistant|>' if add_generation_prompt }}"
)
_ARGUMENTS = {
    "patch_size": PATCH_SIZE,
    "image_seq_length": 4,
    "image_seq_len": 4,
    "num_image_tokens": (IMAGE_SIZE // PATCH_SIZE) ** 2,
    "num_query_tokens": 4,
}


def tiny_processor(name: str, recipe: Recipe) -> Any:
    """The processor of an architecture, for images of a few tokens.

    Args:
        name: Model type of the architecture.
        recipe: What is special about it.

    Returns:
        The processor, with its chat template where the family has one.
    """
    kind = getattr(hf, recipe.processor_class or PROCESSOR_MAPPING_NAMES[name])
    parameters = inspect.signature(kind.__init__).parameters
    values = {key: value for key, value in (_ARGUMENTS | _parts(name, recipe)).items() if key in parameters}
    if recipe.image is not None:
        values["chat_template"] = _TEMPLATE.replace("IMAGE", recipe.image)
    return kind(**values | recipe.processor)


def _parts(name: str, recipe: Recipe) -> dict[str, Any]:
    """What a processor of this architecture may be composed of."""
    parts: dict[str, Any] = {
        "tokenizer": byte_tokenizer(recipe.tokens, recipe.special, recipe.words),
        "qformer_tokenizer": byte_tokenizer({}),
    }
    image_processor = recipe.image_processor_class or _by_backend(IMAGE_PROCESSOR_MAPPING_NAMES.get(name))
    if image_processor:
        parts["image_processor"] = _resized(image_processor, recipe.image_processor)
    video_processor = recipe.video_processor_class or _by_backend(VIDEO_PROCESSOR_MAPPING_NAMES.get(name))
    if video_processor:
        parts["video_processor"] = _resized(video_processor, recipe.video_processor)
    feature_extractor = recipe.feature_extractor_class or FEATURE_EXTRACTOR_MAPPING_NAMES.get(name)
    if feature_extractor:
        parts["feature_extractor"] = getattr(hf, feature_extractor)()
    return parts


def _by_backend(classes: dict[str, str] | None) -> str | None:
    """The class that `AutoProcessor` prefers: torchvision before Pillow."""
    return (classes.get("torchvision") or classes.get("pil")) if classes else None


def _resized(class_name: str, overrides: dict[str, Any]) -> Any:
    """An image or video processor for images of `IMAGE_SIZE` pixels."""
    kind = getattr(hf, class_name)
    values: dict[str, Any] = {
        key: _tiny_size(getattr(kind, key, None)) for key in ("size", "crop_size", "max_image_size", "high_res_size")
    }
    patch_size = getattr(kind, "patch_size", None)
    values["patch_size"] = (
        dict.fromkeys(patch_size, PATCH_SIZE) if isinstance(patch_size, dict) else patch_size and PATCH_SIZE
    )
    return kind(**{key: value for key, value in values.items() if value is not None} | overrides)


def _tiny_size(default: Any) -> Any:
    if not isinstance(default, dict):
        return None
    if default.keys() == {"shortest_edge", "longest_edge"} and default["shortest_edge"] > 1024:  # areas, not edges
        return {"shortest_edge": IMAGE_SIZE**2, "longest_edge": (IMAGE_SIZE + 2 * PATCH_SIZE) ** 2}
    return dict.fromkeys(default, IMAGE_SIZE)
