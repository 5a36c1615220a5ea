"""Options that all studies share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, PrivateAttr, field_serializer, model_validator

from lcl_lab import concepts, episodes
from lcl_lab.config import MOST_QUERIES, Config, KeyValues, Threads
from lcl_lab.episodes.scoring import OpenRule
from lcl_lab.models.credentials import redact
from lcl_lab.models.interface import Images, ModelSettings

if TYPE_CHECKING:
    from lcl_lab.concepts import Dataset

__all__ = ["EpisodeConfig", "StudyConfig"]


_RELEASE_DEFAULTS = {"open_rule": "release", "max_new_tokens": 1024}


class _Sources(dict[str, str]):
    """How models were named; configurations are equal whatever that was."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Sources)

    __hash__ = None


class StudyConfig(Config):
    """Options of every study; a study adds those of its design."""

    OPTIONS = {"registration": "register"}  # a field cannot have the name of a method of its metaclass
    _sources: _Sources = PrivateAttr(default_factory=lambda: _Sources())

    model: tuple[str, ...] = Field(
        ("mini/base", "mini/2-way"),
        min_length=1,
        max_length=8,
        description="models: mini/NAME, heuristic/NAME, a folder, a hub id, openai:NAME, a Python file, or NAME= "
        "before any of these",
    )
    seed: int = Field(0, ge=0, description="random seed")
    queries: int = Field(200, ge=1, le=MOST_QUERIES, description="queries under each condition")
    batch_size: int = Field(32, ge=1, description="prompts per batch; does not change results")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field("auto", description="precision of the weights")
    workers: Threads = Field(
        1, description="processes that share the queries, on this machine or the cluster at RAY_ADDRESS"
    )
    gpus_per_worker: int | None = Field(
        None, ge=0, le=1024, description="GPUs of each of several workers (default: 1 where there are GPUs)"
    )
    base_url: str | None = Field(None, description="server of openai:NAME, such as http://127.0.0.1:8000/v1")
    max_new_tokens: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description="maximum number of tokens of an answer, with its thinking (default: 16, or the longest candidate)",
    )
    thinking: bool = Field(False, description="let models that can think do so before they answer")
    processor: KeyValues = Field({}, description="settings of the processor, such as max_pixels=200704")
    revision: str | None = Field(None, description="branch, tag or commit of models on the hub")
    trust_remote_code: bool = Field(False, description="run Python code that a checkpoint contains")
    extra_body: KeyValues = Field({}, description="further fields of requests to a server, such as top_k=1")
    open_rule: OpenRule | None = Field(
        None,
        description="rule that grades generated text: strict, paper or release; default: paper for the embedded "
        "datasets, strict for all others",
    )
    images: Images = Field("all", description="images of a prompt that converted checkpoints of Shikra and LCL receive")
    results: Path = Field(Path("results"), description="folder of all runs")
    fresh: bool = Field(False, description="start a new run and bypass cached answers; earlier runs are kept")
    no_cache: bool = Field(False, description="neither use cached answers of a server nor cache new ones")
    registration: Path | None = Field(
        None,
        description="file for design, margins, claims and number of queries; written before the first record, and "
        "compared with the run in its report",
    )
    anytime: bool = Field(False, description="add intervals that stay valid however often you look and add pairs")

    @property
    def models(self) -> tuple[str, ...]:
        """All models to evaluate; a study may have others in addition to `model`."""
        return self.model

    @property
    def margins(self) -> dict[str, float]:
        """The options named `margin` or `…_margin`: what each is of, and its value."""
        named = [name for name in type(self).model_fields if name == "margin" or name.endswith("_margin")]
        return {str(type(self).model_fields[name].description): float(getattr(self, name)) for name in named}

    @field_serializer("base_url")
    def _without_credentials(self, base_url: str | None) -> str | None:
        return None if base_url is None else redact(base_url)

    @property
    def model_settings(self) -> ModelSettings:
        """How the models are loaded and generate answers."""
        return ModelSettings(
            max_new_tokens=self.max_new_tokens,
            thinking=self.thinking,
            processor=self.processor,
            revision=self.revision,
            trust_remote_code=self.trust_remote_code,
            extra_body=self.extra_body,
            images=self.images,
        )

    def renamed(self, names: Mapping[str, str]) -> Self:
        """A copy with each model under the name that its records have: NAME for NAME=PATH."""
        renamed = self.model_copy(update={"model": tuple(names[model] for model in self.model)})
        renamed._sources = _Sources({name: model for model, name in names.items()})
        return renamed

    def source(self, model: str) -> str:
        """What names a model: NAME=PATH for the NAME of a renamed copy."""
        return self._sources.get(model, model)


class EpisodeConfig(StudyConfig):
    """Options of studies whose items are episodes."""

    PRESETS = {"default": {}, "tiny": {"queries": 12}, "paper": {"queries": 5000}}

    data: str = Field(
        "world-100",
        description="dataset: world-100, isekai-mini, emoji-100, glyphs-100, isekai-10, isekai-pair, folder:PATH, "
        "isekai:FILE, imagenet:FILE, vl-icl:FOLDER, drawings:FILE or a Python file",
    )
    names: str = Field(
        "usual",
        description="names of the concepts: usual, invented, or a table with the columns concept and name (default of "
        "emoji-100 and glyphs-100: invented)",
    )
    clip: str = Field(
        "mini/prototype",
        description="CLIP that pairs look-alikes in a folder without pairs.csv: mini/prototype, photo/prototype or "
        "MODEL:PRETRAINED of open_clip",
    )
    queries_per_support: int = Field(1, ge=1, description="queries that share a support; more are faster")
    protocol: Literal["lcl", "release"] = Field(
        "lcl",
        description="episodes: drawn from a dataset (lcl), or the fixed ones of a file of the paper's release, with "
        "its rule and up to 1,024 new tokens (release)",
    )

    calibrate: bool = Field(
        False,
        description="also measure the candidates with images without content as the query, and report the choice "
        "between them after calibration",
    )

    @model_validator(mode="before")
    @classmethod
    def _names_of_known_things(cls, values: dict[str, Any]) -> dict[str, Any]:
        data = values.get("data", cls.model_fields["data"].default)
        return {"names": concepts.INVENTED, **values} if data in concepts.KNOWN_THINGS else values

    @model_validator(mode="before")
    @classmethod
    def _release_defaults(cls, values: dict[str, Any]) -> dict[str, Any]:
        if values.get("protocol") != "release":
            return values
        if values.get("names", "usual") != "usual":
            raise ValueError("names cannot be changed with the protocol of the release, whose files contain them")
        data = str(values.get("data", cls.model_fields["data"].default))
        queries = len(episodes.ReleaseEpisodes(data).queries)
        requested = values.get("queries", queries)
        if isinstance(requested, int) and requested > queries:
            raise ValueError(f"queries must be at most {queries}, the number of queries in the file, not {requested}")
        return {**_RELEASE_DEFAULTS, "queries": queries, **values}

    def load_dataset(self) -> Dataset:
        """The dataset that episodes are drawn from, with the names that they show.

        Raises:
            UserError: there is no such dataset, or no such names.
        """
        if self.protocol == "release":
            return episodes.ReleaseEpisodes(self.data)
        return concepts.rename_concepts(concepts.load_dataset(self.data, self.clip), self.names, self.seed)
