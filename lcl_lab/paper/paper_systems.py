"""The systems of the paper's tables: where each is expected, how to get it, and what stands in for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["SYSTEMS", "System", "find_systems"]


@dataclass(frozen=True)
class System:
    """A system of the paper.

    Attributes:
        methods: what the paper calls it; the first name is used here.
        folder: name of its folder, and of the model in records.
        stand_in: the embedded model that takes its place without any download; None if there is none.
        obtain: how to get it; `{path}` is where it is expected.
    """

    methods: tuple[str, ...]
    folder: str
    stand_in: str | None
    obtain: str


def _released(repository: str, options: str = "") -> str:
    local = repository.rpartition("/")[2]
    return f"hf download {repository} --local-dir {local}, then lcl convert {local} {{path}}{options}"


_UNRELEASED = "its weights are not released; train it with lcl train --strategy {strategy} and copy it to {{path}}"
_DELTA = "add its delta weights to LLaMA with the script of its authors, then lcl convert shikra-{size} {{path}}"
SYSTEMS: Sequence[System] = (
    System(
        ("OpenFlamingo",),
        "openflamingo-9b",
        "mini/in-context",
        _released("openflamingo/OpenFlamingo-9B-vitl-mpt7b", " --language-model anas-awadalla/mpt-7b"),
    ),
    System(("Otter",), "otter-9b", None, _released("luodian/OTTER-9B-LA-InContext")),
    System(("Vanilla-Shikra",), "shikra", "mini/base", _DELTA.format(size="7b")),
    System(("Shikra-13B",), "shikra-13b", "mini/base", _DELTA.format(size="13b")),
    System(("LCL [2-way]",), "lcl-2way", "mini/2-way", _UNRELEASED.format(strategy="2-way")),
    System(
        ("LCL [2-way-random]",), "lcl-2way-random", "mini/2-way-random", _UNRELEASED.format(strategy="2-way-random")
    ),
    System(("LCL [2-way-weight]",), "lcl-2way-weight", "mini/2-way-weight", _released("ISEKAI-Portal/LCL_2WAY_WEIGHT")),
    System(("LCL [mix]", "LCL-7B [mix]"), "lcl-mix", "mini/mix", _released("ISEKAI-Portal/LCL-Mix")),
    System(("BLIP2",), "blip2", None, "hf download Salesforce/blip2-opt-6.7b --local-dir {path}"),
    System(("Flamingo-9B",), "flamingo-9b", None, "closed; its open counterpart is HuggingFaceM4/idefics-9b"),
    System(("Flamingo-80B",), "flamingo-80b", None, "closed; its open counterpart is HuggingFaceM4/idefics-80b"),
)


def find_systems(methods: Sequence[str], folder: Path) -> tuple[list[System], list[System]]:
    """The systems with these names, divided into those whose folder is there and those whose is not."""
    wanted = [system for system in SYSTEMS if set(system.methods) & set(methods)]
    present = [system for system in wanted if (folder / system.folder / "config.json").is_file()]
    return present, [system for system in wanted if system not in present]
