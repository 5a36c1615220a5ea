"""The options of studies, and where their values come from: preset, then YAML, then command line.

A study declares its options once, as the fields of its configuration; the command line is made of them.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self, TypeVar, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lcl_lab.cli import Parser, read_yaml
from lcl_lab.errors import UserError, nearest

__all__ = ["EpisodeConfig", "StudyConfig", "no_repeats", "read_options", "study_parser"]


class StudyConfig(BaseModel):
    """What every study is run on; a study adds its own design."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: tuple[str, ...] = Field(
        ("mini/base", "mini/2-way"),
        min_length=1,
        max_length=8,
        description="mini/base, mini/2-way, a checkpoint folder, a hub id, openai:NAME or a Python file",
    )
    seed: int = Field(0, ge=0, description="of every draw")
    queries: int = Field(200, ge=1, description="queries under each condition")
    batch_size: int = Field(32, ge=1, description="prompts read at a time; moves no result")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field("auto", description="of weights")
    base_url: str | None = Field(None, description="the server of openai:NAME, such as http://127.0.0.1:8000/v1")
    results: Path = Field(Path("results"), description="folder of all runs")

    @property
    def models(self) -> tuple[str, ...]:
        """All models that are asked; a study may have others beside `model`."""
        return self.model

    def renamed(self, names: Mapping[str, str]) -> Self:
        """The same with each model under the name that its answers are stored under: NAME of NAME=PATH."""
        return self.model_copy(update={"model": tuple(names[model] for model in self.model)})

    @classmethod
    def checked(cls, values: Mapping[str, Any], source: str = "") -> Self:
        """The configuration of these values, from the file `source`, or from the command line.

        Raises:
            UserError: an unknown key or a wrong value, where it stands, and the nearest right one.
        """
        unknown = [key for key in values if key not in cls.model_fields]
        if unknown:
            raise UserError(f"{source}: unknown key {unknown[0]!r}; {nearest(unknown[0], cls.model_fields)}")
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            reason = first["msg"].removeprefix("Value error, ")
            if not first["loc"]:
                raise UserError(f"{source}: {reason}" if source else reason) from None
            key = str(first["loc"][0])
            place = f"{source}: {key}" if source else _option(key)
            raise UserError(f"{place} {first['input']}: {reason[0].lower()}{reason[1:]}") from None


class EpisodeConfig(StudyConfig):
    """What a study of episodes is run on."""

    data: str = Field(
        "world-100",
        description="world-100, isekai-mini, isekai-10, isekai-pair, folder:PATH, isekai:FILE or imagenet:FILE",
    )
    queries_per_support: int = Field(1, ge=1, description="queries that share a support; cheaper")


Config = TypeVar("Config", bound=StudyConfig)


def no_repeats(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values in order; a `ValueError`, which a configuration tells, where one comes twice."""
    if len(set(values)) < len(values):
        raise ValueError("each once")
    return tuple(sorted(values))


def study_parser(program: str, description: str, config: type[StudyConfig], presets: Sequence[str]) -> Parser:
    """A parser with an option for each field of a configuration. One that is not given leaves no trace."""
    parser = Parser(
        prog=program,
        description=description,
        argument_default=argparse.SUPPRESS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for name, field in config.model_fields.items():
        several = get_origin(field.annotation) is tuple
        default = " ".join(map(str, field.default)) if several else field.default
        told = "" if default is None else f" (default {default})"
        parser.add_argument(
            _option(name),
            help=f"{field.description}{told}".replace("%", "%%"),
            metavar=name.upper(),
            nargs="*" if several else None,
            action="extend" if several else "store",
        )
    add = parser.add_argument
    add("--preset", choices=list(presets), default="default", help="tiny takes seconds, paper is the paper's design")
    add("--config", type=Path, metavar="FILE", help="YAML with any of these options; the command line wins")
    add("--fresh", action="store_true", default=False, help="start anew; earlier runs stay")
    return parser


def read_options(config: type[Config], presets: Mapping[str, Mapping[str, Any]], options: argparse.Namespace) -> Config:
    """Preset, YAML file and command line as one checked configuration."""
    given = {k: v for k, v in vars(options).items() if k not in ("preset", "config", "fresh")}
    named: dict[str, Any] = read_yaml(options.config, "--config") if "config" in options else {}
    preset = named.pop("preset", options.preset)
    if preset not in presets:
        raise UserError(f"{options.config}: unknown preset {preset!r}; {nearest(str(preset), presets)}")
    if named:
        config.checked(named, str(options.config))
    return config.checked({**presets[preset], **named, **given})


def _option(field: str) -> str:
    return f"--{field.replace('_', '-')}"
