"""Reads YAML that people write as JSON values: text, numbers, true and false, null, lists and mappings.

Size, depth and number of values are bounded. Scalars are those of YAML 1.2, so that ``no`` and ``2026-01-01`` are text
and ``010`` is ten. A key that occurs twice is an error.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from itertools import chain, islice
from math import isfinite
from pathlib import Path
from typing import Any

import yaml

from lcl_lab.errors import UserError

__all__ = ["check_json_values", "parse_yaml", "read_yaml"]

_BYTES = 1 << 18
_DEPTH = 32
_VALUES = 100_000  # after aliases are replaced by what they stand for
_SCALARS = {
    "tag:yaml.org,2002:null": (r"~|null|Null|NULL|", [*"~nN", ""]),
    "tag:yaml.org,2002:bool": (r"true|True|TRUE|false|False|FALSE", [*"tTfF"]),
    "tag:yaml.org,2002:int": (r"[-+]?[0-9]+", [*"-+0123456789"]),
    "tag:yaml.org,2002:float": (
        r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?|[-+]?(\.inf|Infinity)|\.nan|NaN",
        [*"-+.0123456789NI"],
    ),
    "tag:yaml.org,2002:merge": (r"<<", ["<"]),
}


_PLAIN_TAGS = ("str", "seq", "map", "null")


class _Loader(yaml.SafeLoader):
    """A loader for the scalars of YAML 1.2 that refuses repeated keys, other tags, and numbers that are not finite."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - without those of YAML 1.1
    yaml_constructors = {  # noqa: RUF012 - without dates, sets and binary data
        tag: yaml.SafeLoader.yaml_constructors[tag]
        for tag in (None, *(f"tag:yaml.org,2002:{name}" for name in _PLAIN_TAGS))
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if isinstance(key, yaml.ScalarNode) and not key.tag.endswith(":merge"):
                if key.value in seen:
                    raise _error(key, f"the key {key.value!r} occurs twice")
                seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_bool(self, node: yaml.ScalarNode) -> bool:
        text = str(self.construct_scalar(node)).lower()
        if text not in ("true", "false"):
            raise _error(node, f"{text[:40]!r} is neither true nor false")
        return text == "true"

    def construct_number(self, node: yaml.ScalarNode) -> int | float:
        text = str(self.construct_scalar(node))
        try:
            value = (
                int(text)
                if node.tag.endswith(":int")
                else float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
            )
        except ValueError:
            raise _error(node, f"{text[:40]!r} is not a number that can be read") from None
        if not isfinite(value):
            raise _error(node, f"{text[:40]!r} is not a finite number")
        return value


for _tag, (_pattern, _first) in _SCALARS.items():
    _Loader.add_implicit_resolver(_tag, re.compile(f"(?:{_pattern})$"), _first)
_Loader.add_constructor("tag:yaml.org,2002:bool", _Loader.construct_bool)
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_number)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_number)


def read_yaml(path: Path, option: str | None = None) -> dict[str, Any]:
    """The top-level mapping of a YAML file.

    Args:
        path: the file.
        option: the option that named the file, for error messages.

    Raises:
        UserError: the file cannot be read, is not YAML, or contains something other than a mapping.
    """

    def wrong(reason: str) -> UserError:
        return UserError(reason, option=option, value=path) if option else UserError(f"{path}: {reason}")

    try:
        with path.open("rb") as file:
            content = file.read(_BYTES + 1)
    except OSError as error:
        raise wrong(error.strerror or str(error)) from error
    if len(content) > _BYTES:
        raise wrong(f"is larger than {_BYTES >> 10} KiB, too large for a file with options")
    try:
        value = parse_yaml(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise wrong(f"not YAML: is not text in UTF-8 (byte {error.start})") from None
    except ValueError as error:
        raise wrong(f"not YAML: {error}") from None
    if not isinstance(value, dict):
        raise wrong("must contain `key: value` lines")
    return {str(key): item for key, item in value.items()}


def parse_yaml(text: str) -> Any:
    """The JSON value that a text in YAML stands for.

    Raises:
        ValueError: the text is not YAML, is too large or too deep, or stands for something else; says where, in one
            line.
    """
    if len(text) > _BYTES:
        raise ValueError(f"more than {_BYTES >> 10} KiB")
    try:
        value = yaml.load(text, _Loader)
        check_json_values(value)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ValueError(f"{line}{error.problem}") from None
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None
    return value


def check_json_values(value: object) -> None:
    """Check that a value consists of JSON values, with text as keys.

    Raises:
        ValueError: it contains something else, or is too deep or too large; says what, in one line.
    """
    level = [value]
    total = 0
    for _ in range(_DEPTH):
        total += len(level)
        if total > _VALUES:
            raise ValueError(f"contains more than {_VALUES} values")
        level = list(islice(chain.from_iterable(map(_children, level)), _VALUES + 1))
        if not level:
            return
    raise ValueError(f"is nested too deeply; at most {_DEPTH} levels are read")


def _children(value: object) -> list[object]:
    match value:
        case None | bool() | str() | int():
            return []
        case float():
            if not isfinite(value):
                raise ValueError(f"{value} is not a finite number")
            return []
        case list() | tuple():
            return list(value)
        case Mapping():
            wrong = next((key for key in value if not isinstance(key, str)), None)
            if wrong is not None:
                raise ValueError(f"the key {wrong!r} must be text")
            return list(value.values())
        case _:
            raise ValueError(f"contains a {type(value).__name__}, which is no JSON value")


def _error(node: yaml.Node, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
