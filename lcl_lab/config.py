"""The base of every configuration: one pydantic class per command, used by Python, YAML files, the CLI and sweeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from lcl_lab.errors import UserError, nearest, shorten
from lcl_lab.type_checks import LARGEST_INTEGER
from lcl_lab.yaml_reading import check_json_values, parse_yaml, read_yaml

__all__ = ["MOST_QUERIES", "Config", "KeyValues", "Presets", "Threads", "no_repeats"]

Presets = Mapping[str, Mapping[str, Any]]


def _key_values(given: object) -> object:
    """A mapping from ``KEY=VALUE`` texts with YAML values, or from the text of a JSON object."""
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list | tuple):
        check_json_values(given)
        return given
    mapping: dict[str, Any] = {}
    for text in map(str, texts):
        key, equals, value = text.partition("=")
        try:
            read = parse_yaml(text) if text.startswith("{") else {key.strip(): parse_yaml(value)}
        except ValueError as error:
            raise ValueError(f"{shorten(repr(text))} is not KEY=VALUE or a JSON object: {error}") from None
        if not isinstance(read, dict) or not (equals or text.startswith("{")):
            raise ValueError(f"{shorten(repr(text))} is not KEY=VALUE or a JSON object")
        mapping |= read
    return mapping


KeyValues = Annotated[dict[str, Any], BeforeValidator(_key_values)]
"""A mapping that the command line takes as ``KEY=VALUE`` texts or as a JSON object."""

MOST_QUERIES = 1_000_000
"""The largest number of queries, questions or prompts of a design; a run plans all of them before it starts."""

Threads = Annotated[int, Field(ge=1, le=1024)]
"""A number of threads or processes. torch ends the process if it cannot start as many; 1024 start everywhere."""


class Config(BaseModel):
    """Options of one command. Unknown options and wrong values are refused with one line.

    Attributes:
        PRESETS: named sets of values; a command offers `--preset` where there are several. A class with a field
            `preset` handles presets itself.
        POSITIONAL: fields that the command line takes without an option name, in order.
        OPTIONS: the name of the option, as users give it, of fields that have another name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
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
        for key, value in values.items():
            _check_raw(cls.option(key), value, _types(cls.model_fields[key].annotation))
        # A single value is as good as a list of one.
        lists = {key for key, field in cls.model_fields.items() if get_origin(field.annotation) is tuple}
        wrapped = {k: (v,) if k in lists and isinstance(v, str | int | float) else v for k, v in values.items()}
        try:
            config = cls.model_validate(wrapped)
        except ValidationError as error:
            raise _user_error(error) from None
        for key in values:
            _check_integers(cls.option(key), getattr(config, key))
        return config


def no_repeats(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Sort the values of a field; a value that occurs twice is a `ValueError`, which pydantic reports."""
    if len(set(values)) < len(values):
        raise ValueError("must not repeat a value")
    return tuple(sorted(values))


def _types(annotation: Any) -> list[Any]:
    """The types that a field accepts, with those of the elements of a list."""
    return [annotation, *chain.from_iterable(map(_types, get_args(annotation)))]


def _elements(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else [value]


def _check_raw(option: str, value: object, types: Sequence[Any]) -> None:
    """Refuse text that no option can have, and true and false where a number is expected, which pydantic converts."""
    for element in _elements(value):
        if isinstance(element, bool) and bool not in types and (int in types or float in types):
            raise UserError(f"must be {'an integer' if int in types else 'a number'}", option=option, value=element)
        if not isinstance(element, str | Path):
            continue
        text = str(element)
        if not text.strip():
            raise UserError("must not be empty", option=option)
        if "\0" in text:
            raise UserError("must not contain a NUL character", option=option, value=text)
        if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
            reason = "is not text in the encoding of this locale; LC_ALL=C.UTF-8 reads UTF-8"
            raise UserError(reason, option=option, value=text)


def _check_integers(option: str, value: object) -> None:
    for element in _elements(value):
        if isinstance(element, int) and element > LARGEST_INTEGER:
            raise UserError(f"must be at most {LARGEST_INTEGER}", option=option, value=element)


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
        case "int_parsing" | "int_parsing_size" | "int_type" | "int_from_float":
            return "must be an integer"
        case "float_parsing" | "float_type":
            return "must be a number"
        case "finite_number":
            return "must be a finite number"
        case "string_type":
            return "must be text; put it in quotes"
        case "bool_parsing" | "bool_type":
            return "must be true or false"
        case "tuple_type" | "list_type":
            return "must be a list, such as [0, 1]"
        case "greater_than_equal":
            return f"must be at least {_number(context['ge'])}"
        case "greater_than":
            return f"must be above {_number(context['gt'])}"
        case "less_than_equal":
            return f"must be at most {_number(context['le'])}"
        case "less_than":
            return f"must be below {_number(context['lt'])}"
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


def _number(limit: float) -> str:
    return str(limit) if isinstance(limit, int) else f"{limit:g}"
