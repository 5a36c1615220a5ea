"""How the programs of the package read arguments and fail: one clear line, exit code 2."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from lcl_lab.errors import UserError, nearest

__all__ = ["Parser", "at_least", "read_yaml", "run_program"]


class Parser(argparse.ArgumentParser):
    """An `ArgumentParser` whose errors are `UserError`s that name the nearest right option."""

    def error(self, message: str) -> NoReturn:
        unknown = re.match(r"unrecognized arguments: (--?[\w-]+)", message)
        if unknown:
            options = [option for action in self._actions for option in action.option_strings if len(option) > 2]
            raise UserError(f"unknown option {unknown[1]}; {nearest(unknown[1], options)}")
        raise UserError(message.replace("argument ", "", 1))


def at_least(least: int) -> Callable[[str], int]:
    """The type of an option that is a whole number from `least` on."""

    def whole(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None
        if value < least:
            raise argparse.ArgumentTypeError(f"{value}: the least is {least}")
        return value

    return whole


def read_yaml(path: Path, what: str = "") -> dict[str, Any]:
    """The `key: value` lines of a YAML file; `what` is the option that named it.

    Raises:
        UserError: the file is not there or holds something else.
    """
    import yaml

    told = f"{what} {path}".strip()
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{told}: {error.strerror}") from error
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise UserError(f"{told}: not YAML: {line}{error.problem}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{told}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise UserError(f"{told}: must be `key: value` lines")
    return {str(key): value for key, value in content.items()}


def run_program(main: Callable[[Sequence[str]], None]) -> NoReturn:
    """Run `main` on the process's arguments; a user's mistake ends it with one line and exit code 2."""
    try:
        main(sys.argv[1:])
    except UserError as error:
        print(f"error: {error.for_command_line()}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from what is stored", file=sys.stderr)
        sys.exit(130)
    sys.exit(0)
