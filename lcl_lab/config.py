"""The base of every configuration: one pydantic class per command, used by Python, YAML files, the CLI and sweeps."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, get_origin

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from lcl_lab.errors import UserError, nearest

__all__ = ["Config", "KeyValues", "Presets", "no_repeats", "read_yaml"]

Presets = Mapping[str, Mapping[str, Any]]
_MOST_LEVELS, _MOST_VALUES = 32, 100_000


def _key_values(given: object) -> object:
    """A mapping from ``KEY=VALUE`` texts with YAML values, or from the text of a JSON object."""
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list | tuple):
        return given
    mapping: dict[str, Any] = {}
    for text in texts:
        key, equals, value = str(text).partition("=")
        try:
            read = _parse_yaml(str(text)) if str(text).startswith("{") else {key.strip(): _parse_yaml(value)}
        except ValueError:
            raise ValueError(f"{text!r} is not KEY=VALUE or a JSON object") from None
        if not isinstance(read, dict) or not (equals or str(text).startswith("{")):
            raise ValueError(f"{text!r} is not KEY=VALUE or a JSON object")
        mapping |= read
    return mapping


KeyValues = Annotated[dict[str, Any], BeforeValidator(_key_values)]
"""A mapping that the command line takes as ``KEY=VALUE`` texts or as a JSON object."""


class Config(BaseModel):
    """Options of one command. Unknown options and wrong values are refused with one line.

    Attributes:
        PRESETS: named sets of values; a command offers `--preset` where there are several. A class with a field
            `preset` handles presets itself.
        POSITIONAL: fields that the command line takes without an option name, in order.
        OPTIONS: the name of the option, as users give it, of fields that have another name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    PRESETS: ClassVar[Presets] = {"default": {}}
    POSITIONAL: ClassVar[tuple[str, ...]] = ()
    OPTIONS: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def create(cls, preset: str | None = None, file: str | Path | None = None, /, **options: Any) -> Self:
        """Build a configuration from a preset, a YAML file and options; later ones take precedence.

        Args:
            preset: a key of `PRESETS`; None takes the file's `preset`, else `"default"`.
            file: YAML with any of the fields, and optionally `preset`.
            **options: values of fields.

        Raises:
            UserError: an unknown preset or field, or a wrong value; says where it was given and the nearest valid one.
        """
        from_file = read_yaml(Path(file), option="config") if file is not None else {}
        preset_is_field = "preset" in cls.model_fields  # then it is an option like any other
        named = "default" if preset_is_field else str(from_file.pop("preset", "default"))
        if (preset or named) not in cls.PRESETS:
            hint = nearest(preset or named, cls.PRESETS)
            raise UserError(f"unknown preset; {hint}", option="preset", value=preset or named)
        values = {**cls.PRESETS[preset or named], **from_file, **options}
        try:
            return cls._validated(values)
        except UserError as error:
            if error.option in from_file and error.option not in options:
                raise UserError(f"{file}: {error}") from None
            raise

    @classmethod
    def option(cls, field: str) -> str:
        """The name under which users give a field."""
        return cls.OPTIONS.get(field, field)

    @classmethod
    def _validated(cls, values: Mapping[str, Any]) -> Self:
        field_of = {option: field for field, option in cls.OPTIONS.items()}
        values = {field_of.get(key, key): value for key, value in values.items()}
        unknown = [key for key in values if key not in cls.model_fields]
        if unknown:
            raise UserError(
                f"unknown option; {nearest(unknown[0], map(cls.option, cls.model_fields))}", option=unknown[0]
            )
        # A single value is as good as a list of one.
        lists = {key for key, field in cls.model_fields.items() if get_origin(field.annotation) is tuple}
        wrapped = {k: (v,) if k in lists and isinstance(v, str | int | float) else v for k, v in values.items()}
        try:
            return cls.model_validate(wrapped)
        except ValidationError as error:
            raise _user_error(error) from None


def read_yaml(path: Path, option: str | None = None) -> dict[str, Any]:
    """The top-level mapping of a YAML file.

    Args:
        path: the file.
        option: the option that named the file, for error messages.

    Raises:
        UserError: the file cannot be read, is not YAML, or contains something other than a mapping.
    """
    try:
        content = _parse_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _in_file(path, option, str(error.strerror)) from error
    except ValueError as error:
        raise _in_file(path, option, f"not YAML: {error}") from error
    if not isinstance(content, dict):
        raise _in_file(path, option, "must contain `key: value` lines")
    return {str(key): value for key, value in content.items()}


def no_repeats(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Sort the values of a field; a value that occurs twice is a `ValueError`, which pydantic reports."""
    if len(set(values)) < len(values):
        raise ValueError("must not repeat a value")
    return tuple(sorted(values))


def _parse_yaml(text: str) -> Any:
    """The value of a YAML text; raises ValueError, with the reason in one line, if it has none."""
    try:
        value = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ValueError(f"{line}{error.problem}") from error
    except (yaml.YAMLError, ValueError) as error:  # the latter for values such as the date 2026-99-99
        raise ValueError(" ".join(str(error).split())) from error
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except (ArithmeticError, AttributeError, LookupError, TypeError) as error:  # such as for `!!bool x`
        raise ValueError("a value does not match its tag") from error
    _check_size(value)
    return value


def _check_size(value: object) -> None:
    """Refuse a value that is nested deeply, that repeated aliases make huge, or that has text that is not Unicode."""
    remaining = [(value, 0)]
    for count in itertools.count():
        if not remaining:
            return
        part, depth = remaining.pop()
        if depth > _MOST_LEVELS or count > _MOST_VALUES:
            raise ValueError(f"more than {_MOST_LEVELS} levels or {_MOST_VALUES:,} values")
        if isinstance(part, str):
            part.encode()
        inner = (
            (*part, *part.values()) if isinstance(part, dict) else part if isinstance(part, list | set | tuple) else ()
        )
        remaining += [(one, depth + 1) for one in inner]


def _in_file(path: Path, option: str | None, reason: str) -> UserError:
    return UserError(reason, option=option, value=path) if option else UserError(f"{path}: {reason}")


def _user_error(error: ValidationError) -> UserError:
    """The first problem that pydantic found, in one line."""
    first = error.errors()[0]
    reason = _reason(first["type"], first.get("ctx", {}), first["msg"].removeprefix("Value error, "))
    if not first["loc"]:
        return UserError(reason)
    option = str(first["loc"][0])
    if first["type"] == "missing":
        return UserError(reason, option=option)
    value = first["input"]
    return UserError(
        reason, option=option, value=value if isinstance(value, str | int | float | tuple | list) else None
    )


def _reason(kind: str, context: Mapping[str, Any], message: str) -> str:
    """What is wrong with a value, in the words of a person."""
    match kind:
        case "missing":
            return "is required"
        case "int_parsing" | "int_type" | "int_from_float":
            return "must be an integer"
        case "float_parsing" | "float_type":
            return "must be a number"
        case "bool_parsing" | "bool_type":
            return "must be true or false"
        case "tuple_type" | "list_type":
            return "must be a list, such as [0, 1]"
        case "greater_than_equal":
            return f"must be at least {context['ge']:g}"
        case "greater_than":
            return f"must be above {context['gt']:g}"
        case "less_than_equal":
            return f"must be at most {context['le']:g}"
        case "less_than":
            return f"must be below {context['lt']:g}"
        case "too_short":
            return f"needs at least {context['min_length']} values"
        case "too_long":
            return f"takes at most {context['max_length']} values"
        case "literal_error":
            return f"must be one of {context['expected']}"
        case "value_error":
            return message
        case _:
            return f"{message[0].lower()}{message[1:]}"
