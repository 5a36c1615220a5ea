"""The options that every study has, and where their values come from: preset, then YAML, then command line."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lcl_lab.cli import Parser
from lcl_lab.errors import UserError, nearest

__all__ = ["StudyConfig", "read_options", "study_parser"]


class StudyConfig(BaseModel):
    """What every study is run on; a study adds its own design."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: tuple[str, ...] = Field(("mini/base", "mini/2-way"), min_length=1, max_length=8)
    data: str = "world-100"
    shots: int = 16
    seed: int = Field(0, ge=0)
    queries: int = Field(200, ge=1)
    queries_per_support: int = Field(1, ge=1)
    batch_size: int = Field(32, ge=1)
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    base_url: str | None = None
    results: Path = Path("results")

    @classmethod
    def checked(cls, values: Mapping[str, Any], source: str) -> Self:
        """The configuration of these values.

        Raises:
            UserError: an unknown key or a wrong value, with `source` and the nearest right one.
        """
        unknown = [key for key in values if key not in cls.model_fields]
        if unknown:
            raise UserError(f"{source}: unknown key {unknown[0]!r}; {nearest(unknown[0], cls.model_fields)}")
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            place = first["loc"][0] if first["loc"] else "configuration"
            reason = first["msg"].removeprefix("Value error, ")
            raise UserError(f"{source}: {place} {first['input']}: {reason[0].lower()}{reason[1:]}") from None


Config = TypeVar("Config", bound=StudyConfig)


def study_parser(module: str, description: str, presets: Sequence[str]) -> Parser:
    """A parser with the options of every study. An option that is not given leaves no trace."""
    parser = Parser(
        prog=f"python -m {module}",
        description=description,
        argument_default=argparse.SUPPRESS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--model",
        action="append",
        metavar="NAME",
        help="mini/base, mini/2-way, a checkpoint folder, a hub id, openai:NAME or a Python file; repeatable",
    )
    add("--dtype", choices=("auto", "float32", "bfloat16", "float16"), help="of weights (default auto)")
    add("--base-url", metavar="URL", help="the server of openai:NAME, such as http://127.0.0.1:8000/v1")
    add(
        "--data",
        metavar="NAME",
        help="world-100 (default), isekai-mini, isekai-10, isekai-pair, folder:PATH, isekai:FILE or imagenet:FILE",
    )
    add("--shots", type=int, metavar="K", help="support images in all, half of each concept (default 16)")
    add("--seed", type=int, help="of every draw (default 0)")
    add("--queries", type=int, metavar="N", help="queries under each condition (default 200)")
    add("--queries-per-support", type=int, metavar="N", help="queries that share a support; cheaper (default 1)")
    add("--batch-size", type=int, metavar="N", help="prompts read at a time; moves no result (default 32)")
    add("--preset", choices=list(presets), default="default", help="tiny takes seconds, paper is the paper's design")
    add("--config", type=Path, metavar="FILE", help="YAML with any of these options; the command line wins")
    add("--results", type=Path, metavar="DIR", help="folder of all runs (default results)")
    add("--fresh", action="store_true", default=False, help="start anew; earlier runs stay")
    return parser


def read_options(config: type[Config], presets: Mapping[str, Mapping[str, Any]], options: argparse.Namespace) -> Config:
    """Preset, YAML file and command line as one checked configuration."""
    given = {k: v for k, v in vars(options).items() if k not in ("preset", "config", "fresh")}
    named: dict[str, Any] = _read_yaml(options.config) if "config" in options else {}
    preset = named.pop("preset", options.preset)
    if preset not in presets:
        raise UserError(f"{options.config}: unknown preset {preset!r}; {nearest(str(preset), presets)}")
    if named:
        config.checked(named, str(options.config))
    return config.checked({**presets[preset], **named, **given}, "options")


def _read_yaml(path: Path) -> dict[str, Any]:
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"--config {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"--config {path}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise UserError(f"--config {path}: must be `key: value` lines")
    return {str(key): value for key, value in content.items()}
