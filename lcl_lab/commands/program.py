"""A command line generated from a configuration class: one option per field, errors in one line, exit code 2."""

from __future__ import annotations

import inspect
import io
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, NoReturn, TypeVar, get_origin

from cyclopts import (
    App,
    CycloptsError,
    MissingArgumentError,
    Parameter,
    UnknownOptionError,
    UnusedCliTokensError,
)
from pydantic.fields import FieldInfo

from lcl_lab.config import Config
from lcl_lab.control_characters import escape_controls
from lcl_lab.errors import UserError, nearest
from lcl_lab.interrupts import EXIT_CODE, MESSAGE, interruptible
from lcl_lab.safe_console import SafeConsole

__all__ = ["Program", "exit_with_status"]

C = TypeVar("C", bound=Config)
_FROM_FILE = "YAML with any of these options; the command line takes precedence"


@dataclass(frozen=True)
class Program(Generic[C]):
    """A command.

    Attributes:
        name: what one types to run it, such as ``"python -m lcl_lab.train"``.
        config: the class of its options.
        run: does the work and prints the result.
        doc: the description in its help.
        takes_file: whether `--config` names a YAML file with options; a command that has a file of its own needs none.
    """

    name: str
    config: type[C]
    run: Callable[[C], object]
    doc: str
    takes_file: bool = True

    def main(self, arguments: Sequence[str] | None = None) -> NoReturn:
        """Parse the arguments of the process, run, and exit: 0, 2 for a mistake of the user, 130 when interrupted."""
        exit_with_status(lambda: self(sys.argv[1:] if arguments is None else arguments))

    def __call__(self, arguments: Sequence[str]) -> None:
        """Parse arguments and run.

        Raises:
            UserError: an argument is wrong, or the command cannot be carried out.
        """
        config = self.parse(arguments)
        if config is not None:
            self.run(config)

    def parse(self, arguments: Sequence[str]) -> C | None:
        """The configuration of some arguments; None when the help was shown instead.

        Raises:
            UserError: an argument is wrong.
        """
        if {"--help", "-h"} & set(arguments):
            self._app(typed=True).help_print([], console=SafeConsole())
            return None
        try:
            _, bound, _ = self._app().parse_args(list(arguments), exit_on_error=False, print_error=False)
        except CycloptsError as error:
            raise self._user_error(error) from None
        options = {name: value for name, value in bound.arguments.items() if value is not None}
        preset = options.pop("preset", None) if len(self.config.PRESETS) > 1 else None
        return self.config.create(preset, options.pop("config", None), **options)

    def _app(self, typed: bool = False) -> App:
        """The parser. Values stay text, which the configuration checks as it checks YAML; only the help is typed."""

        def command(**options: Any) -> None:
            """Stands for the command: only its signature is used."""

        command.__signature__ = inspect.Signature(self._parameters(typed))  # type: ignore[attr-defined]
        paragraphs = re.sub(r"\n {8,}", " ", self.doc)  # continued lines of a study's description
        app = App(name=self.name, help=paragraphs, help_format="plaintext", version_flags=[])
        app.default(command)
        return app

    def _parameters(self, typed: bool) -> list[inspect.Parameter]:
        positional = self.config.POSITIONAL
        fields = self.config.model_fields
        order = [*positional, *(name for name in fields if name not in positional)]
        parameters = [
            _parameter(
                self.config.option(name), fields[name].annotation, _help(fields[name]), typed, name in positional
            )
            for name in order
        ]
        if len(self.config.PRESETS) > 1:
            text = f"one of {', '.join(self.config.PRESETS)} (default: default)"
            parameters.append(_parameter("preset", str, text, typed))
        if self.takes_file:
            parameters.append(_parameter("config", Path, _FROM_FILE, typed))
        return parameters

    def _user_error(self, error: CycloptsError) -> UserError:
        names = [parameter.name for parameter in self._parameters(typed=False)]
        options = [f"--{name.replace('_', '-')}" for name in (*names, "help")]
        match error:
            case UnknownOptionError():
                wrong = str(error.token.keyword)
                return UserError(f"unknown option {wrong}; {nearest(wrong, options, prefix='--')}")
            case UnusedCliTokensError() if error.unused_tokens:
                return UserError(f"unexpected argument {error.unused_tokens[0]!r}; see --help")
            case MissingArgumentError() if error.argument is not None:
                return UserError(f"{error.argument.name}: expects a value")
            case _:
                return UserError(" ".join(str(error).split()))


def exit_with_status(work: Callable[[], None]) -> NoReturn:
    """Do the work of a command and exit; a mistake of the user becomes one line on standard error.

    The status is 0, 2 for a mistake and for a file or an output that cannot be read or written, 130 when interrupted,
    and 141 when the reader of the output went away.
    """
    line, status = "", 0
    _open_standard_streams()
    try:
        with interruptible():
            work()
            _flush_output()
    except UserError as error:
        line, status = f"error: {error.for_command_line()}", 2
    except BrokenPipeError:  # such as `| head`; a program in C would end by SIGPIPE, which a shell reports as 128 + 13
        status = 141
    except OSError as error:
        place = f"{escape_controls(str(error.filename))}: " if error.filename is not None else ""
        line, status = f"error: {place}{error.strerror or error}", 2
    except KeyboardInterrupt:
        line, status = MESSAGE, EXIT_CODE
    _exit(status, line)  # after the handlers: with the exception, what it keeps alive has ended, such as a progress bar


def _open_standard_streams() -> None:
    """Put the null device in the place of closed streams, so that no file of the run gets their number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # the smallest free number
            if number and getattr(sys, name) is None:
                setattr(sys, name, os.fdopen(opened, "w", encoding="utf-8"))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _flush_output() -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UserError(f"cannot write the output: {error.strerror or error}") from error


def _exit(status: int, message: str = "") -> NoReturn:
    """Exit without a second failure when the interpreter flushes a stream that cannot be written."""
    with suppress(OSError):
        if message:
            print(message, file=sys.stderr, flush=True)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(status)


def _help(field: FieldInfo) -> str:
    text = field.description or ""
    if field.is_required():
        return f"{text} (required)"
    if field.default in (None, False, (), {}):
        return text
    default = " ".join(map(str, field.default)) if isinstance(field.default, tuple) else field.default
    return f"{text} (default: {default})"


def _parameter(name: str, annotation: Any, text: str, typed: bool, positional: bool = False) -> inspect.Parameter:
    many = get_origin(annotation) in (tuple, dict, Mapping)
    parameter = Parameter(help=text, consume_multiple=many, negative="", show_default=False)
    if not typed and annotation is not bool:
        annotation = tuple[str, ...] if many else str
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD if positional else inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=None, annotation=Annotated[annotation | None, parameter])
