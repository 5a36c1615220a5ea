"""The network of a training: the start model with its frozen parts and adapters, and how it is written as a model."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from peft import PeftModel, prepare_model_for_kbit_training
from torch import Tensor, nn
from transformers import AutoModelForImageTextToText, AutoProcessor, BitsAndBytesConfig, LlavaForConditionalGeneration

from lcl_lab import models
from lcl_lab.errors import UserError
from lcl_lab.models import Checkpoint, photo
from lcl_lab.models.architecture_limits import context_length, has_decoder, reads_one_image
from lcl_lab.models.checkpoint import is_on_hub, is_prototype, shipped_name
from lcl_lab.models.mini.architecture import IMAGE_TOKENS, MiniForConditionalGeneration, build_mini
from lcl_lab.models.mini.clip import load_clip
from lcl_lab.models.mini.clip_tower import clip_vision_tower
from lcl_lab.models.mini.processor import build_processor
from lcl_lab.models.preflight import check_quantization, config_and_processor, one_line
from lcl_lab.models.saving import save_adapter, save_checkpoint
from lcl_lab.training.data import LoadedData
from lcl_lab.training.feature_bank import ImageFeatures
from lcl_lab.training.frozen_encoder import keep_outputs
from lcl_lab.training.frozen_vision import FrozenVision
from lcl_lab.training.loop import shards_weights
from lcl_lab.training.lora import add_adapters
from lcl_lab.training.loss import AnswerLoss, BatchBuilder, FeatureBatchBuilder
from lcl_lab.training.plan import TrainingPlan
from lcl_lab.training.trainable_parts import default_parts, train_only
from lcl_lab.training.whole_prompts import PromptLoss, WholePromptBuilder, check_loss

__all__ = ["Network", "check_network"]


class Network:
    """A start model that is prepared for training.

    A LLaVA whose vision encoder is frozen is trained on image features that are computed in advance; any other model on
    whole prompts as its processor encodes them.

    Args:
        plan: the run, with a strategy and a start model.

    Attributes:
        module: computes the losses of a micro-batch, and has all weights that are trained.
        processor: the processor of the model.
        context: number of tokens that the model was built for; None if its config names no limit.
        embedded: whether it has the architecture of the models that ship with the package.
        vision: the frozen vision encoder of a LLaVA, detached from `module`.
        encoders: the frozen vision encoders of another model, which keep their outputs by image.

    Raises:
        UserError: it cannot be loaded, or has no part of those to train.
    """

    def __init__(self, plan: TrainingPlan) -> None:
        config, strategy, start = plan.config, plan.strategy, plan.start
        assert strategy is not None
        assert start is not None
        self._plan, self._start = plan, start
        model, self.processor = _load(start, config.quantize)
        self.context = context_length(model.config)
        self.embedded = isinstance(model, MiniForConditionalGeneration)
        self._model: Any = model
        model.name_or_path = _base_name(start)  # by which an adapter finds it
        trained = config.train or default_parts(model)
        train_only(model, trained)
        by_features = isinstance(model, LlavaForConditionalGeneration) and not _is_trained(model.model.vision_tower)
        self.vision = FrozenVision(model, self.processor) if by_features else None
        if not strategy.trains_attention:
            for layer in model.model.language_model.layers:
                layer.self_attn.requires_grad_(False)
        if not self.embedded and model.supports_gradient_checkpointing:
            # 17 images are thousands of tokens; the activations of all layers at once would fill a GPU.
            enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
            enable({"use_reentrant": False})
        if config.lora:
            model = add_adapters(model, config.lora, config.lora_targets, trained)
        self.module: nn.Module = AnswerLoss(model) if by_features else PromptLoss(model)
        # A process that has kept an image does not encode it, while weights that are sharded wait for all processes.
        self.encoders = [] if by_features or shards_weights() else keep_outputs(model)

    def check(self) -> None:
        """Compare the loss with the log-likelihoods of evaluation, where it depends on the architecture.

        Raises:
            UserError: they differ.
        """
        if not isinstance(self.module, PromptLoss):
            return
        try:
            check_loss(self._start.name, self.module.eval(), self.processor)
        except UserError:
            if not self.encoders:
                raise
            while self.encoders:
                self.encoders.pop().release()
            check_loss(self._start.name, self.module, self.processor)

    def builder(
        self,
        data: LoadedData,
        features: ImageFeatures | None,
        every_answer: bool = False,
        prompts: int | None = None,
    ) -> BatchBuilder:
        """What turns prompts into the inputs of `module`.

        Args:
            data: opens their images.
            features: the features of their images, if there is a frozen vision encoder.
            every_answer: whether the answers in the support have a loss, too.
            prompts: number of prompts at most, for parts of a batch that must have equally many micro-batches; None
                lets the builder choose.
        """
        if features is not None:
            return FeatureBatchBuilder(self.processor, features, every_answer, joined=prompts is not None)
        return WholePromptBuilder(self._model, self.processor, data.image, every_answer, prompts)

    def save(self, weights: dict[str, Tensor], folder: Path) -> None:
        """Write a model with trained weights, the state dict of `module`, as a checkpoint or an adapter.

        Raises:
            UserError: a file cannot be written.
        """
        fresh = Network(self._plan)
        fresh.module.load_state_dict(weights)
        model: Any = fresh.module.model
        if fresh.vision:
            fresh.vision.restore(fresh._model)
        if isinstance(model, PeftModel) and not self._plan.config.merge:
            save_adapter(model, folder)
            return
        if isinstance(model, PeftModel):
            model = model.merge_and_unload()
        if self.embedded:
            model = model.half()  # halves the shipped file; answers are computed in single precision
        save_checkpoint(model, self.processor, folder)


def check_network(plan: TrainingPlan) -> None:
    """Check that a model can be trained as planned; its weights are not read.

    Args:
        plan: the run, with a strategy and a start model.

    Raises:
        UserError: its architecture cannot be trained, it has no part of those to train, or 4-bit weights are not
            supported here.
    """
    config, start = plan.config, plan.start
    assert start is not None
    if is_prototype(start):
        return
    try:
        architecture, _ = config_and_processor(start)
    except UserError as error:
        raise UserError(error.reason, option="start", value=start.name) from None
    kind = architecture.model_type
    if reads_one_image(architecture):
        reason = f"its architecture, {kind}, reads one image per prompt, and episodes show several"
        raise UserError(reason, option="start", value=start.name)
    if has_decoder(architecture):
        reason = f"its architecture, {kind}, generates answers with a decoder of its own; only decoders can be trained"
        raise UserError(reason, option="start", value=start.name)
    if config.quantize:
        try:
            check_quantization(SimpleNamespace(quantization_config=_four_bits()), start.name)
        except UserError as error:
            raise UserError(error.reason.removeprefix("it is quantized, and "), option="quantize") from None
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(
            architecture, trust_remote_code=start.settings.trust_remote_code
        )
    trained = config.train or default_parts(model)
    if config.lora:
        add_adapters(model, config.lora, config.lora_targets, trained)
    else:
        train_only(model, trained)


def _load(start: Checkpoint, quantize: bool) -> tuple[Any, Any]:
    """A model and its processor; for a prototype classifier, a new embedded model around its vision tower."""
    if is_prototype(start):
        return _new_model(start)
    options: dict[str, Any] = {"trust_remote_code": start.settings.trust_remote_code, "local_files_only": True}
    weights = {"quantization_config": _four_bits()} if quantize else {"dtype": torch.float32}
    try:
        model = AutoModelForImageTextToText.from_pretrained(start.path, **options, **weights)
        processor = AutoProcessor.from_pretrained(start.path, **options)
    except Exception as error:  # damaged settings make `transformers` raise whatever they are used for
        reason = f"cannot load {start.path}: {one_line(error)}"
        raise UserError(reason, option="start", value=start.name) from error
    if start.adapter is not None:
        model = models.with_adapter(model, start.adapter, merge=True)
    return (prepare_model_for_kbit_training(model) if quantize else model), processor


def _new_model(start: Checkpoint) -> tuple[Any, Any]:
    """An untrained embedded model around the vision tower of a prototype classifier, and its processor."""
    is_photo = start.path.joinpath("processor_config.json").exists()
    tower: Any
    if is_photo:
        processor: Any = AutoProcessor.from_pretrained(start.path, local_files_only=True)
        photo.register_vision_tower()
        tower = photo.load_vision_tower(start.path)
    else:
        processor = build_processor(IMAGE_TOKENS)
        tower = clip_vision_tower(load_clip(start.path).state_dict())
    tokenizer = processor.tokenizer
    model = build_mini(tower, len(tokenizer), processor.image_token_id, tokenizer.eos_token_id, copies=is_photo)
    return model, processor


def _is_trained(module: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in module.parameters())


def _four_bits() -> BitsAndBytesConfig:
    """The settings of QLoRA (Dettmers et al., 2023)."""
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )


def _base_name(start: Checkpoint) -> str:
    """What `find_checkpoint` finds a start model by, wherever it is looked for."""
    shipped = shipped_name(start)
    if shipped is not None:
        return shipped
    return start.name if is_on_hub(start.name) else str(start.path.resolve())
