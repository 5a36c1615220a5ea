"""What is special about each architecture: its special tokens, its chat template, sizes that depend on each other."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

__all__ = ["IMAGE_SIZE", "PATCH_SIZE", "UNBUILDABLE", "WIDTH", "Recipe", "recipe"]

WIDTH = 64
IMAGE_SIZE = 32
PATCH_SIZE = 8


@dataclass(frozen=True)
class Recipe:
    """What the general construction cannot know about an architecture.

    Attributes:
        tokens: Special tokens by the tokenizer's attribute, without which the processor cannot be made.
        special: Special tokens without an attribute.
        config_tokens: Special tokens, without an attribute, to which the config refers by this name.
        image: What the chat template writes for an image; None if the family has no chat template.
        words: Tokens of the processor that are ordinary words of the vocabulary.
        config: Values of the config by dotted path, after the general shrinking; a function receives the tokenizer.
        parts: Sub-configs that the default config leaves out.
        processor: Arguments of the processor.
        image_processor: Arguments of the image processor.
        video_processor: Arguments of the video processor.
        processor_class: Class of the processor where transformers names none for the model type.
        image_processor_class: Class of the image processor, likewise.
        video_processor_class: Class of the video processor, likewise.
        feature_extractor_class: Class of the audio feature extractor, likewise.
    """

    tokens: dict[str, str] = field(default_factory=dict)
    special: tuple[str, ...] = ()
    config_tokens: dict[str, str] = field(default_factory=dict)
    image: str | None = None
    words: tuple[str, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)
    parts: tuple[str, ...] = ()
    processor: dict[str, Any] = field(default_factory=dict)
    image_processor: dict[str, Any] = field(default_factory=dict)
    video_processor: dict[str, Any] = field(default_factory=dict)
    processor_class: str | None = None
    image_processor_class: str | None = None
    video_processor_class: str | None = None
    feature_extractor_class: str | None = None


def recipe(name: str) -> Recipe:
    """The recipe of an architecture; one that is not listed takes an image where its prompt says `<image>`."""
    return _RECIPES.get(name, Recipe(tokens=_IMAGE, image="<image>"))


UNBUILDABLE = {
    "evolla": "it answers questions about proteins and reads no images",
    "mistral4": "it is a text-only language model; its processor would have to come from another model type",
    "pi0": "it predicts robot actions and generates no text",
    "shieldgemma2": "transformers loads its weights only into a classifier of images, not into the Gemma 3 it names",
    "udop": "it reads documents as words with boxes, which its processor takes from Tesseract",
}

_IMAGE = {"image_token": "<image>"}
_IMAGE_VIDEO = {"image_token": "<image>", "video_token": "<video>"}
_QWEN_TOKENS = {
    "image_token": "<|image_pad|>",
    "video_token": "<|video_pad|>",
    "vision_start_token": "<|vision_start|>",
    "vision_end_token": "<|vision_end|>",
}
_QWEN_IMAGE = "<|vision_start|><|image_pad|><|vision_end|>"
_MROPE = {"text_config.rope_parameters.mrope_section": [2, 3, 3]}  # half a head's dimensions, over time, height, width
_HALF_ROPE = {  # of 16 dimensions of a head, 8 rotate
    "text_config.rope_parameters.mrope_section": [2, 1, 1],
    "text_config.rope_parameters.partial_rotary_factor": 0.5,
}
_IMAGE_GRID = [[IMAGE_SIZE, 2 * IMAGE_SIZE], [2 * IMAGE_SIZE, IMAGE_SIZE], [2 * IMAGE_SIZE, 2 * IMAGE_SIZE]]
_GRID = {"image_grid_pinpoints": _IMAGE_GRID}
_BIG_PATCH = _GRID | {"vision_config.patch_size": 16}  # an image is up to five tiles
_AS_MANY_KEYS = {"text_config.num_key_value_heads": 4}  # latent attention has no groups of queries
# Sixteen patches become one token.
_ONE_SLICE = {"scale_resolution": 2 * IMAGE_SIZE, "max_slice_nums": 1}
_SHORT_EDGE = {"size": {"shortest_edge": IMAGE_SIZE}, "crop_size": {"height": IMAGE_SIZE, "width": IMAGE_SIZE}}
_TINY_VQ = {"vq_config.channel_multiplier": [1, 1, 1, 1]}  # three halvings: 4 × 4 codes of an image of 32 × 32
_CHAMELEON_CODES = tuple(f"IMGIMG{chr(65 + code // 10)}{chr(65 + code % 10)}Z" for code in range(64))
_EMU_CODES = tuple(f"<|visual token {code:06d}|>" for code in range(64))
_OVIS_MARKS = ("<IMG_START>", "<IMG_END>", "<IMG_GRID>", "<IMG_COL>", "<IMG_ROW>")
# Features of all patches but the class token.
_CLS = {"vision_feature_select_strategy": "default", "num_additional_image_tokens": 1}
_IDEFICS_MARKS = (
    "<fake_token_around_image>",
    "<end_of_utterance>",
    "<global-img>",
    *(f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)),
)
_GLM_TOKENS = {
    "image_token": "<|image|>",
    "video_token": "<|video|>",
    "image_start_token": "<|begin_of_image|>",
    "image_end_token": "<|end_of_image|>",
    "video_start_token": "<|begin_of_video|>",
    "video_end_token": "<|end_of_video|>",
}
_GLM = Recipe(tokens=_GLM_TOKENS, image="<|begin_of_image|><|image|><|end_of_image|>", config=_HALF_ROPE)
_GEMMA_TOKENS = {
    "image_token": "<image_soft_token>",
    "boi_token": "<start_of_image>",
    "eoi_token": "<end_of_image>",
    "audio_token": "<audio_soft_token>",
    "boa_token": "<start_of_audio>",
    "eoa_token": "<end_of_audio>",
}
_INTERNVL_TOKENS = {
    "start_image_token": "<img>",
    "end_image_token": "</img>",
    "context_image_token": "<IMG_CONTEXT>",
    "image_token": "<IMG_CONTEXT>",
    "video_token": "<video>",
}
_PIXTRAL_TOKENS = {"image_token": "[IMG]", "image_break_token": "[IMG_BREAK]", "image_end_token": "[IMG_END]"}
_TILED_SIZE = {"size": {"longest_edge": 2 * IMAGE_SIZE}, "max_image_size": {"longest_edge": IMAGE_SIZE}}
_MINICPM_TOKENS = {
    "image_token": "<|image_pad|>",
    "video_token": "<|video_pad|>",
    "image_start_token": "<image>",
    "image_end_token": "</image>",
    "slice_start_token": "<slice>",
    "slice_end_token": "</slice>",
    "image_id_start_token": "<image_id>",
    "image_id_end_token": "</image_id>",
    "newline_token": "\n",
}
_OMNI = Recipe(
    tokens=_QWEN_TOKENS
    | {
        "audio_token": "<|AUDIO|>",
        "vision_bos_token": "<|vision_bos|>",
        "vision_eos_token": "<|vision_eos|>",
        "audio_bos_token": "<|audio_bos|>",
        "audio_eos_token": "<|audio_eos|>",
    },
    image="<|vision_bos|><|image_pad|><|vision_eos|>",
    # The config class lacks this id, which published checkpoints add.
    config=_MROPE | {"vision_start_token_id": lambda tokenizer: tokenizer.vision_bos_token_id},
    image_processor_class="Qwen2VLImageProcessor",
    video_processor_class="Qwen2VLVideoProcessor",
    feature_extractor_class="WhisperFeatureExtractor",
)
_MUSE = Recipe(
    tokens={
        "image_token": "<|patch|>",
        "image_start_token": "<|image_start|>",
        "image_end_token": "<|image_end|>",
        "video_token": "<|video|>",
        "video_sep_token": "<|vid_frame_separator|>",
        "video_start_token": "<|vid_start|>",
        "video_end_token": "<|vid_end|>",
        "audio_token": "<|audio|>",
        "audio_start_token": "<|soft_audio_start|>",
        "audio_end_token": "<|soft_audio_end|>",
    },
    image="<|patch|>",
    config={"out_hidden_size": 4 * WIDTH},  # merging 2 × 2 patches
)

_RECIPES: dict[str, Recipe] = {
    "aria": Recipe(
        tokens=_IMAGE,
        image="<image>",
        # The image processor accepts 490 or 980 pixels, and the processor always asks for 980.
        config={
            "vision_config.image_size": 980,
            "vision_config.patch_size": 140,
            "vision_config.hidden_size": 12,
            "vision_config.intermediate_size": 32,
            "projector_patch_to_query_dict": {49: 4},
            "max_value_projector_patch_to_query_dict": 4,
        },
        processor={"size_conversion": {980: 4}},
    ),
    # The config counts the patches that the processor inserts for `<image>`.
    "aya_vision": Recipe(
        tokens={"image_token": "<|IMG_PATCH|>"},
        special=("<image>", "<|START_OF_IMG|>", "<|END_OF_IMG|>", "<|IMG_LINE_BREAK|>", "TILE", "TILE_GLOBAL"),
        image="<image>",
        processor={"img_size": IMAGE_SIZE, "downsample_factor": 2},
    ),
    "blip": Recipe(),
    # The processor creates its image token and fails if the tokenizer has named it.
    "blip-2": Recipe(special=("<image>",), config_tokens=_IMAGE),
    # Images are codes of a vocabulary; the config maps tokens to codes.
    "chameleon": Recipe(
        tokens=_IMAGE | {"boi_token": "<racm3:break>", "eoi_token": "<eoss>"},
        special=_CHAMELEON_CODES,
        config=_TINY_VQ | {"vocabulary_map": lambda tokenizer: tokenizer.get_vocab()},
        processor={"image_seq_length": 16},
    ),
    "cohere2_vision": Recipe(
        tokens=_IMAGE
        | {
            "boi_token": "<|START_OF_IMG|>",
            "eoi_token": "<|END_OF_IMG|>",
            "img_line_break_token": "<|IMG_LINE_BREAK|>",
        },
        image="<image>",
        # The processor inserts patch_size**2 tokens per tile, as many as the model has only with these sizes.
        config={"vision_config.patch_size": 4},
        image_processor={"patch_size": 4, "max_patches": 1},
    ),
    # The default config has neither rotary positions nor the sliding window of the published checkpoint.
    "cohere_compass": Recipe(
        tokens={
            "image_token": "<|IMAGE_PAD|>",
            "video_token": "<|VIDEO_PAD|>",
            "vision_start_token": "<|VISION_START|>",
            "vision_end_token": "<|VISION_END|>",
        },
        image="<|VISION_START|><|IMAGE_PAD|><|VISION_END|>",
        config={
            "text_config.layer_types": ["sliding_attention", "full_attention"],
            "text_config.rope_parameters": {
                kind: {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]}
                for kind in ("sliding_attention", "full_attention")
            },
        },
    ),
    "cosmos3_edge": Recipe(tokens=_QWEN_TOKENS, image=_QWEN_IMAGE, config=_MROPE),
    "cosmos3_omni": Recipe(
        tokens=_QWEN_TOKENS,
        image=_QWEN_IMAGE,
        config=_MROPE,
        processor_class="Qwen3VLProcessor",
    ),
    "deepseek_ocr2": Recipe(
        tokens=_IMAGE,
        image="<image>",
        # The encoder always has 144 queries, for 12 × 12 patches; patches of two pixels keep images tiny.
        config={
            "vision_config.sam_config.image_size": 96,
            "vision_config.sam_config.global_attn_indexes": [],
            "vision_config.sam_config.patch_size": 2,
            "vision_config.sam_config.downsample_channels": [WIDTH, WIDTH],
            "text_config.num_experts_per_tok": 2,
            "text_config.mlp_layer_types": ["dense", "sparse"],
        },
        processor={"patch_size": 2},
        image_processor={"size": {"height": 96, "width": 96}, "crop_to_patches": False},
    ),
    "deepseek_vl": Recipe(tokens={"image_token": "<image_placeholder>"}, image="<image_placeholder>"),
    "deepseek_vl_hybrid": Recipe(tokens={"image_token": "<image_placeholder>"}, image="<image_placeholder>"),
    # The default config has no experts; 70 is the least number of image tokens the processor accepts.
    "diffusion_gemma": Recipe(
        tokens=_GEMMA_TOKENS,
        image="<image_soft_token>",
        image_processor_class="Gemma4ImageProcessor",
        video_processor_class="Gemma4VideoProcessor",
        feature_extractor_class="Gemma4AudioFeatureExtractor",
        image_processor={"max_soft_tokens": 70},
        config={
            "text_config.num_experts": 4,
            "text_config.top_k_experts": 2,
            "text_config.moe_intermediate_size": WIDTH // 2,
        },
    ),
    # Layers with a sliding window have other sizes: a head is `qk_nope_head_dim` + `qk_rope_head_dim` wide.
    "dots3_note": Recipe(
        tokens={
            "image_token": "<|imgpad|>",
            "video_token": "<|video_pad|>",
            "audio_token": "<|audio_comp_pad|>",
        },
        image_processor={"temporal_patch_size": 1},
        image="<|img|><|imgpad|><|endofimg|>",
        special=("<|img|>", "<|endofimg|>"),
        config=_AS_MANY_KEYS
        | {
            "text_config.head_dim": 48,
            "text_config.per_layer_config": {2: {"qk_nope_head_dim": 32, "kv_lora_rank": 16}},
        },
    ),
    # Images are codes of a vocabulary; the config maps tokens to codes.
    "emu3": Recipe(
        tokens=_IMAGE
        | {
            "boi_token": "<|image start|>",
            "eoi_token": "<|image end|>",
            "image_wrapper_token": "<|image token|>",
            "eof_token": "<|extra_201|>",
        },
        special=("<|extra_200|>", *_EMU_CODES),
        image="<image>",
        config=_TINY_VQ
        | {
            "vq_config.hidden_size": 32,
            "vq_config.embed_dim": 4,
            "vq_config.latent_channels": 4,
            "vq_config.attn_resolutions": [],
            "vocabulary_map": lambda tokenizer: tokenizer.get_vocab(),
        },
        image_processor={"min_pixels": IMAGE_SIZE**2, "max_pixels": IMAGE_SIZE**2},
    ),
    # Its sections are height, width and time; height and width must agree.
    "ernie4_5_vl_moe": Recipe(
        tokens={
            "image_token": "<|IMAGE_PLACEHOLDER|>",
            "image_start_token": "<|IMAGE_START|>",
            "image_end_token": "<|IMAGE_END|>",
            "video_token": "<|VIDEO_PLACEHOLDER|>",
            "video_start_token": "<|VIDEO_START|>",
            "video_end_token": "<|VIDEO_END|>",
        },
        image="<|IMAGE_START|><|IMAGE_PLACEHOLDER|><|IMAGE_END|>",
        config={"text_config.rope_parameters.mrope_section": [3, 3, 2]},
        video_processor={"draw_on_frames": False},  # needs a font
    ),
    "exaone4_5": Recipe(tokens=_QWEN_TOKENS, image=_QWEN_IMAGE),
    # The vision encoder halves an image six times, and its last stage doubles the width.
    "fast_vlm": Recipe(
        tokens=_IMAGE,
        image="<image>",
        processor_class="LlavaProcessor",
        image_processor_class="CLIPImageProcessor",
        config={
            "vision_config.hidden_size": WIDTH,
            "vision_config.model_args": {
                "inference_mode": True,
                "layers": [1, 1, 1, 1, 1],
                "embed_dims": [8, 8, 16, 32, WIDTH // 2],
            },
        },
        processor={"patch_size": 64},
        image_processor={
            "size": {"shortest_edge": 128},
            "crop_size": {"height": 128, "width": 128},
        },
    ),
    # Sizes of the vision encoder are per stage, and it halves an image five times.
    "florence2": Recipe(
        tokens=_IMAGE,
        config={
            "vision_config.depths": [1, 1, 1, 1],
            "vision_config.embed_dim": [8, 16, 32, WIDTH],
            "vision_config.num_heads": [1, 2, 4, 4],
            "vision_config.num_groups": [1, 2, 4, 4],
            "vision_config.patch_size": [7, 3, 3, 3],
            "vision_config.window_size": 4,
        },
        # 2 × 2 tokens and their average
        image_processor={
            "image_seq_length": 5,
            "size": {"height": 2 * IMAGE_SIZE, "width": 2 * IMAGE_SIZE},
            "crop_size": {"height": 2 * IMAGE_SIZE, "width": 2 * IMAGE_SIZE},
        },
    ),
    # Image tokens are ordinary words: the processor drops the space that sentencepiece puts before them.
    "fuyu": Recipe(words=("|SPEAKER|", "|NEWLINE|"), config_tokens={"image_token": "|SPEAKER|"}),
    "gemma3": Recipe(tokens=_GEMMA_TOKENS, image="<start_of_image>", config={"mm_tokens_per_image": 4}),
    "gemma3n": Recipe(
        tokens=_GEMMA_TOKENS,
        image="<image_soft_token>",
        # MobileNet-V5 has a fixed width; a network that timm uses for its own tests stands in for it.
        config={
            "vision_soft_tokens_per_image": 4,
            "vision_config.architecture": "test_resnet",
            "vision_config.hidden_size": 96,
            "vision_config.model_args": {},
        },
        image_processor={"size": {"height": 64, "width": 64}},
    ),
    # 70 is the least number of image tokens that the processor accepts; global layers have wider heads.
    "gemma4": Recipe(
        tokens=_GEMMA_TOKENS,
        image="<image_soft_token>",
        parts=("vision_config",),
        image_processor={"max_soft_tokens": 70},
        config={"text_config.per_layer_config": {1: {"head_dim": 32}}},
    ),
    # As Gemma 4.
    "gemma4_unified": Recipe(
        tokens=_GEMMA_TOKENS,
        image="<image_soft_token>",
        parts=("vision_config",),
        image_processor={"max_soft_tokens": 70},
        config={"text_config.per_layer_config": {1: {"head_dim": 32}}},
    ),
    "git": Recipe(),
    "glm46v": _GLM,
    "glm4v": _GLM,
    "glm4v_moe": replace(
        _GLM, image_processor_class="Glm4vImageProcessor", video_processor_class="Glm4vVideoProcessor"
    ),
    # Attention without positions is required.
    "glm5_next": replace(
        _GLM, config=_AS_MANY_KEYS | {"text_config.qk_rope_head_dim": 0, "text_config.qk_head_dim": 16}
    ),
    "glm_ocr": replace(
        _GLM,
        processor_class="Glm46VProcessor",
        image_processor_class="Glm46VImageProcessor",
        video_processor_class="Glm46VVideoProcessor",
    ),
    "glmga": replace(_GLM, processor_class="Glm46VProcessor"),
    # The processor always inserts 256 tokens, for 64 × 64 patches; windows alone keep so many affordable.
    "got_ocr2": Recipe(
        special=("<|im_start|>", "<|im_end|>", "<img>", "</img>"),
        tokens={"image_token": "<imgpad>"},
        image_processor={"size": {"height": 2 * IMAGE_SIZE, "width": 2 * IMAGE_SIZE}},
        config={
            "vision_config.image_size": 2 * IMAGE_SIZE,
            "vision_config.global_attn_indexes": [],
            "vision_config.patch_size": 1,
        },
    ),
    # The default config names layers beyond the second.
    "granite4_vision": Recipe(
        tokens=_IMAGE,
        image="<image>",
        config=_GRID
        | {"downsample_rate": "1/2", "deepstack_layer_map": [[-1, 0]], "spatial_target_layers": [1, 1, 1, 1]},
        processor=_CLS | {"downsample_rate": "1/2"},
        image_processor=_GRID,
    ),
    # Merging 4 × 4 patches leaves four tokens; the multipliers would drown images in such a narrow model.
    "granite_docling": Recipe(
        tokens=_IMAGE,
        special=_IDEFICS_MARKS,
        image="<image>",
        config={
            "vision_config.patch_size": 4,
            "text_config.embedding_multiplier": 1.0,
            "text_config.residual_multiplier": 1.0,
        },
    ),
    # The default config has no head size; positions are as many as the largest image needs.
    "hunyuan_vl": Recipe(
        tokens={
            "image_token": "<image>",
            "image_start_token": "<image_start>",
            "image_end_token": "<image_end>",
            "im_start_token": "<image_start>",
            "im_end_token": "<image_end>",
            "im_newline_token": "<image_newline>",
        },
        image="<image_start><image><image_end>",
        config=_MROPE | {"text_config.head_dim": 16, "vision_config.max_image_size": 64},
    ),
    "hyperclovax_vision_v2": Recipe(tokens=_QWEN_TOKENS, image=_QWEN_IMAGE),
    # The gates of cross-attention are closed by default, and so is the resampler of the published checkpoints.
    "idefics": Recipe(
        tokens=_IMAGE,
        special=("<fake_token_around_image>",),
        config={"use_resampler": True, "perceiver_config.use_resampler": True, "alpha_initializer": "ones"},
        processor={"image_size": IMAGE_SIZE},
        image_processor={"image_size": IMAGE_SIZE},
    ),
    "idefics2": Recipe(
        tokens=_IMAGE | {"image_boundary_token": "<fake_token_around_image>"},
        special=("<end_of_utterance>",),
        image="<image>",
        image_processor={"size": {"shortest_edge": IMAGE_SIZE // 2, "longest_edge": IMAGE_SIZE}},
    ),
    "idefics3": Recipe(tokens=_IMAGE, special=_IDEFICS_MARKS, image="<image>", image_processor=_TILED_SIZE),
    # The processor cuts images into cells of 2 × 2 patches.
    "inkling2": Recipe(
        tokens={"image_token": "<|unused_200054|>"},
        image="<|unused_200054|>",
        image_processor={"size": {"height": 16, "width": 16}},
    ),
    # The processor cuts images into cells, each one patch; the multiplier divides logits by the width.
    "inkling_mm_model": Recipe(
        tokens={
            "image_token": "<|unused_200054|>",
            "audio_token": "<|unused_200053|>",
            "image_bos_token": "<|content_image|>",
            "audio_bos_token": "<|content_audio_input|>",
        },
        image="<|content_image|><|unused_200054|>",
        image_processor={"size": {"height": 16, "width": 16}},
        config={
            "vision_config.patch_size": 16,
            "text_config.logits_mup_width_multiplier": 1.0,
            "audio_config.mel_vocab_size": 16,
        },
    ),
    # As BLIP-2.
    "instructblip": Recipe(special=("<image>",), config_tokens=_IMAGE),
    # As BLIP-2.
    "instructblipvideo": Recipe(special=("<video>",), config_tokens={"video_token": "<video>"}),
    "internvl": Recipe(tokens=_INTERNVL_TOKENS, image="<IMG_CONTEXT>"),
    # The generator of images is not used but belongs to the checkpoint.
    "janus": Recipe(
        tokens={
            "image_token": "<image_placeholder>",
            "boi_token": "<begin_of_image>",
            "eoi_token": "<end_of_image>",
        },
        image="<image_placeholder>",
        config=_TINY_VQ | {"vq_config.image_token_embed_dim": WIDTH, "vision_config.projection_dim": WIDTH},
    ),
    "kimi_k25": Recipe(
        tokens={
            "image_token": "<|media_pad|>",
            "video_token": "<|kimi_k25_video_placeholder|>",
            "vision_start_token": "<|media_begin|>",
            "vision_end_token": "<|media_end|>",
        },
        special=("<|media_content|>",),
        image="<|media_begin|>image<|media_content|><|media_pad|><|media_end|>",
        config=_AS_MANY_KEYS,
    ),
    # The processor always inserts 64 tokens.
    "kosmos-2": Recipe(processor_class="Kosmos2Processor", config={"latent_query_num": 64}),
    # The processor enlarges every image to 4096 patches.
    "kosmos-2.5": Recipe(
        tokens={"image_token": "<patch>", "boi_token": "<image>", "eoi_token": "</image>"},
        processor_class="Kosmos2_5Processor",
        config={"vision_config.max_num_patches": 256},
        processor={"num_image_tokens": 4},
    ),
    # The default config has no convolutions; the image processor names its sizes differently.
    "lfm2_vl": Recipe(
        tokens={
            "image_token": "<image>",
            "image_start_token": "<|image_start|>",
            "image_end_token": "<|image_end|>",
            "image_thumbnail_token": "<|img_thumbnail|>",
        },
        special=tuple(f"<|img_row_{row}_col_{column}|>" for row in range(1, 4) for column in range(1, 4)),
        image="<image>",
        image_processor={
            "encoder_patch_size": PATCH_SIZE,
            "tile_size": IMAGE_SIZE,
            "min_image_tokens": 4,
            "max_image_tokens": 9,
            "do_image_splitting": False,
        },
        config={"text_config.layer_types": ["conv", "full_attention"]},
    ),
    "lfm3_vl": Recipe(tokens=_QWEN_TOKENS, image=_QWEN_IMAGE),
    "lighton_ocr": Recipe(tokens=_PIXTRAL_TOKENS, image="[IMG]"),
    # Pixel shuffle makes four patches one.
    "llama4": Recipe(
        tokens={
            "image_token": "<|patch|>",
            "boi_token": "<|image_start|>",
            "eoi_token": "<|image_end|>",
        },
        special=("<|image|>", "<|tile_x_separator|>", "<|tile_y_separator|>"),
        image="<|image|>",
        config={
            "vision_config.intermediate_size": 4 * WIDTH,
            "vision_config.vision_output_dim": WIDTH,
            "vision_config.projector_input_dim": WIDTH,
            "vision_config.projector_output_dim": WIDTH,
        },
    ),
    "llava": Recipe(tokens=_IMAGE, image="<image>", processor=_CLS),
    "llava_next": Recipe(
        tokens=_IMAGE, image="<image>", config=_BIG_PATCH, processor=_CLS | {"patch_size": 16}, image_processor=_GRID
    ),
    "llava_next_video": Recipe(
        tokens=_IMAGE_VIDEO,
        image="<image>",
        config=_BIG_PATCH,
        processor=_CLS | {"patch_size": 16},
        image_processor=_GRID,
    ),
    "llava_onevision": Recipe(
        tokens=_IMAGE_VIDEO,
        image="<image>",
        config=_BIG_PATCH,
        processor={"num_image_tokens": 4, "vision_feature_select_strategy": "full"},
        image_processor=_GRID,
    ),
    "minicpm_ocr": Recipe(
        tokens=_MINICPM_TOKENS,
        image="<|image_pad|>",
        image_processor=_ONE_SLICE | {"scale_resolution": IMAGE_SIZE},
        video_processor=_ONE_SLICE,
    ),
    "minicpmv4_6": Recipe(
        tokens=_MINICPM_TOKENS, image="<|image_pad|>", image_processor=_ONE_SLICE, video_processor=_ONE_SLICE
    ),
    "minicpmv4_7": Recipe(
        tokens=_MINICPM_TOKENS, image="<|image_pad|>", image_processor=_ONE_SLICE, video_processor=_ONE_SLICE
    ),
    # The default config has no sparse attention.
    "minimax_m3_vl": Recipe(
        tokens={
            "image_token": "]<]image[>[",
            "video_token": "]<]video[>[",
            "vision_start_token": "]<]start of image[>[",
            "vision_end_token": "]<]end of image[>[",
        },
        image="]<]image[>[",
        config={"text_config.layer_types": ["full_attention", "minimax_m3_sparse"]},
    ),
    "mistral3": Recipe(tokens=_PIXTRAL_TOKENS, image="[IMG]", processor={"spatial_merge_size": 2}),
    "mistral_large4": Recipe(
        tokens=_PIXTRAL_TOKENS, image="[IMG]", processor={"spatial_merge_size": 2}, config=_AS_MANY_KEYS
    ),
    "mllama": Recipe(
        tokens={"image_token": "<|image|>"},
        special=("<|python_tag|>",),
        image="<|image|>",
        config={
            # With self-attention after cross-attention, a token learns of the images that earlier tokens saw.
            "text_config.num_hidden_layers": 4,
            "text_config.cross_attention_layers": [1, 3],
            "vision_config.intermediate_layers_indices": [0, 1],
            "vision_config.vision_output_dim": 3 * WIDTH,
        },
    ),
    # Crops overlap by less than their size; the adapter reads layers by index.
    "molmo2": Recipe(
        tokens={
            "image_token": "<|image|>",
            "video_token": "<|video|>",
            "image_patch_token": "<im_patch>",
            "image_start_token": "<im_start>",
            "image_end_token": "<im_end>",
            "low_res_image_start_token": "<low_res_im_start>",
            "frame_start_token": "<frame_start>",
            "frame_end_token": "<frame_end>",
        },
        special=("<im_col>", "<im_low>"),
        image="<|image|>",
        image_processor={"overlap_margins": [1, 1], "max_crops": 2},
        config={"adapter_config.vision_feature_layer": [1, 0]},
    ),
    "muse_glimmer": _MUSE,
    "muse_spark": replace(
        _MUSE,
        config=_MUSE.config | {"audio_config.hidden_sizes": [8, 16, 32, WIDTH], "audio_config.depths": [1, 1, 1, 1]},
    ),
    # Sizes of Mamba must divide each other; those of patches are repeated in the vision encoder.
    "nemotron_h_omni": Recipe(
        tokens={
            "image_token": "<image>",
            "video_token": "<video>",
            "audio_token": "<so_embedding>",
            "image_start_token": "<img>",
            "image_end_token": "</img>",
        },
        special=("<so_start>", "<so_end>"),
        image="<image>",
        feature_extractor_class="ParakeetFeatureExtractor",
        image_processor={"min_num_patches": 16, "max_num_patches": 36},
        config={
            "text_config.mamba_num_heads": 8,
            "text_config.mamba_head_dim": 16,
            "text_config.n_groups": 2,
            "text_config.ssm_state_size": 16,
            "vision_config.patch_dim": 3 * PATCH_SIZE**2,
            "vision_config.video_patch_dim": 6 * PATCH_SIZE**2,
            "vision_config.max_img_size": 2 * IMAGE_SIZE,
        },
    ),
    # The processor inserts tokens that it does not name; visual words are a vocabulary of their own.
    "ovis2": Recipe(
        tokens={"image_token": "<IMG_ATOM>"},
        special=("<image>", *_OVIS_MARKS),
        image="<image>",
        config={
            "visual_indicator_token_ids": lambda tokenizer: tokenizer.convert_tokens_to_ids(list(_OVIS_MARKS)),
            "vision_config.vocab_size": 64,
            "vision_config.hidden_stride": 2,
        },
    ),
    "paddleocr_vl": Recipe(
        tokens={
            "image_token": "<|IMAGE_PLACEHOLDER|>",
            "video_token": "<|video_pad|>",
            "vision_start_token": "<|IMAGE_START|>",
            "vision_end_token": "<|IMAGE_END|>",
        },
        image="<|IMAGE_START|><|IMAGE_PLACEHOLDER|><|IMAGE_END|>",
        config=_MROPE,
    ),
    # The vision encoder has 16 patches; the family has no chat template.
    "paligemma": Recipe(tokens=_IMAGE, image_processor={"image_seq_length": 16}),
    # The default config has no Perception Encoder.
    "perception_lm": Recipe(
        tokens={"image_token": "<|image|>", "video_token": "<|video|>"},
        image="<|image|>",
        config={
            "projector_pooling_ratio": 2,
            "vision_config.architecture": "vit_pe_core_large_patch14_336",
            "vision_config.model_args": {
                "embed_dim": WIDTH,
                "depth": 2,
                "num_heads": 4,
                "img_size": [IMAGE_SIZE, IMAGE_SIZE],
                "patch_size": PATCH_SIZE,
                "ref_feat_shape": [4, 4],
                "global_pool": "",
                "use_post_transformer_norm": False,
                "init_values": 0.1,
            },
        },
        image_processor={"tile_size": IMAGE_SIZE, "max_num_tiles": 4},
    ),
    # The processor enlarges every image to 2048 patches.
    "pix2struct": Recipe(config={"vision_config.seq_len": 256}),
    # The template spells out all image tokens.
    "pp_chart2table": Recipe(
        tokens={"image_token": "<imgpad>"},
        special=("<img>", "</img>"),
        image=f"<img>{4 * '<imgpad>'}</img>",
        config={"vision_config.image_size": 2 * IMAGE_SIZE},
        image_processor={"size": {"height": 2 * IMAGE_SIZE, "width": 2 * IMAGE_SIZE}},
    ),
    # The neck repeats the width of the encoder.
    "pp_formulanet": Recipe(
        config={f"vision_config.post_conv_{part}_channels": WIDTH for part in ("in", "mid", "out")}
    ),
    "qianfan_ocr": Recipe(tokens=_INTERNVL_TOKENS, special=("<image>",), image="<image>"),
    "qwen2_5_omni_thinker": replace(_OMNI, processor_class="Qwen2_5OmniProcessor"),
    "qwen2_5_vl": Recipe(tokens=_QWEN_TOKENS, image=_QWEN_IMAGE, config=_MROPE),
    "qwen2_vl": Recipe(tokens=_QWEN_TOKENS, image=_QWEN_IMAGE, config=_MROPE),
    "qwen3_5": Recipe(tokens=_QWEN_TOKENS, image=_QWEN_IMAGE, config=_HALF_ROPE),
    "qwen3_5_moe": Recipe(tokens=_QWEN_TOKENS, image=_QWEN_IMAGE, config=_HALF_ROPE),
    "qwen3_omni_moe_thinker": replace(_OMNI, processor_class="Qwen3OmniMoeProcessor"),
    "qwen3_vl": Recipe(
        tokens=_QWEN_TOKENS,
        image=_QWEN_IMAGE,
        config=_MROPE,
    ),
    "qwen3_vl_moe": Recipe(
        tokens=_QWEN_TOKENS,
        image=_QWEN_IMAGE,
        config=_MROPE,
        image_processor_class="Qwen2VLImageProcessor",
    ),
    "qwen4_exp": Recipe(
        tokens=_QWEN_TOKENS,
        image=_QWEN_IMAGE,
        config=_HALF_ROPE
        | {  # the sparse attention has no defaults
            "text_config.indexer_n_heads": 2,
            "text_config.indexer_kv_heads": 1,
            "text_config.indexer_head_dim": 16,
            "text_config.indexer_budget": 64,
            "text_config.indexer_compress_ratio": 2,
            "text_config.hc_lowrank": 8,
        },
    ),
    "smolvlm": Recipe(tokens=_IMAGE, special=_IDEFICS_MARKS, image="<image>", image_processor=_TILED_SIZE),
    # The default config has no sliding window; the processor derives the number of tokens from these sizes.
    "step3p7": Recipe(
        tokens={"image_token": "<im_patch>"},
        special=("<im_start>", "<im_end>", "<patch_start>", "<patch_end>", "<patch_newline>"),
        image="<im_patch>",
        image_processor={
            "size": {"height": 2 * IMAGE_SIZE, "width": 2 * IMAGE_SIZE},
            "patch_size": IMAGE_SIZE,
            "max_image_size": 2 * IMAGE_SIZE,
            "vision_patch_size": PATCH_SIZE,
        },
        config={
            "text_config.layer_types": ["full_attention", "sliding_attention"],
            "text_config.sliding_window": 48,
            "text_config.rope_parameters.sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
            "vision_config.image_size": 2 * IMAGE_SIZE,
            "vision_config.max_position_embeddings": 64,
        },
    ),
    # The number of image tokens is that of the nested encoder.
    "t5gemma2": Recipe(tokens=_GEMMA_TOKENS, image="<start_of_image>", config={"encoder.mm_tokens_per_image": 4}),
    # The neck's widths are lists.
    "unlimited_ocr": Recipe(
        tokens=_IMAGE,
        image="<image>",
        config={"vision_config.sam_config.downsample_channels": [WIDTH, WIDTH]},
        image_processor={"crop_to_patches": False},
    ),
    "video_llama_3": Recipe(tokens=_QWEN_TOKENS, image="<|image_pad|>"),
    # The image processor has no default size.
    "video_llava": Recipe(
        tokens=_IMAGE_VIDEO, image="<image>", image_processor=_SHORT_EDGE, video_processor=_SHORT_EDGE
    ),
    # The default config names layers beyond the second.
    "vipllava": Recipe(tokens=_IMAGE, image="<image>", config={"vision_feature_layer": [-2, -1]}, processor=_CLS),
    # The default config has no special tokens.
    "vision-encoder-decoder": Recipe(
        processor_class="TrOCRProcessor",
        image_processor_class="ViTImageProcessor",
        config={
            "decoder_start_token_id": lambda tokenizer: tokenizer.bos_token_id,
            "pad_token_id": lambda tokenizer: tokenizer.pad_token_id,
        },
    ),
}
