"""Renders a chat template in a separate process with limits, since one that loops cannot be stopped in this process.

`finishes` starts this file as a program. It imports nothing but Jinja, so that it starts fast.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from importlib import import_module
from typing import Any

from jinja2.ext import Extension
from jinja2.sandbox import ImmutableSandboxedEnvironment

__all__ = ["LIMITS", "finishes"]

_SECONDS = 5  # of CPU time
_BYTES = 1 << 30  # of memory
_CHARACTERS = 1_000_000
LIMITS = f"{_SECONDS} s, {_BYTES >> 30} GiB of memory and {_CHARACTERS} characters"
"""What a template may take, for error messages."""
_WALL_SECONDS = 12 * _SECONDS  # on a busy machine
_EXCEEDED = 3  # exit code
_log = logging.getLogger(__name__)


def finishes(template: str, conversations: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a template renders conversations within the limits. One that raises an exception does.

    Args:
        template: the source of the template.
        conversations: the variables of each rendering, as JSON values.
    """
    return _finishes(json.dumps({"template": template, "conversations": conversations, "seconds": _SECONDS}))


@lru_cache(maxsize=64)
def _finishes(task: str) -> bool:
    program = [sys.executable, "-P", __file__]  # -P: modules of this folder do not shadow those of Python
    try:
        done = subprocess.run(program, input=task.encode(), capture_output=True, timeout=_WALL_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    if done.returncode not in (0, _EXCEEDED) and done.returncode > 0:
        _log.debug("the trial of a chat template failed: %s", done.stderr.decode(errors="replace"))
    return done.returncode >= 0 and done.returncode != _EXCEEDED


class _Generation(Extension):
    """The block `generation` of `transformers`, which marks answers and writes its content."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Any) -> Any:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _render_all(task: Mapping[str, Any]) -> int:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, "jinja2.ext.loopcontrols"]
    )
    environment.globals |= {"raise_exception": _raise, "strftime_now": str}
    for variables in task["conversations"]:
        try:
            if sum(map(len, environment.from_string(task["template"]).generate(variables))) > _CHARACTERS:
                return _EXCEEDED
        except MemoryError:
            return _EXCEEDED
        except Exception:  # a template may raise anything, which is reported where it is used
            continue
    return 0


def _raise(message: str) -> None:
    raise ValueError(message)


def _limit(seconds: int) -> None:
    resource = import_module("resource")  # Windows has none; there, only the time is limited
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (_BYTES, _BYTES))


if __name__ == "__main__":
    _task = json.loads(sys.stdin.buffer.read())
    with suppress(ImportError, ValueError, OSError):
        _limit(_task["seconds"])
    sys.exit(_render_all(_task))
