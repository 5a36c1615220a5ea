"""Renders images of an appearance; the same (appearance, index) gives the same pixels.

Shapes are signed distances on the pixel grid (negative inside), so edges are smooth at any pose and an image takes
about a millisecond. Images of one appearance differ in rotation, size, position, light, background, clutter and partial
occlusion.
"""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi, radians, sin
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lcl_lab.concepts.appearance import COLOURS, FACTORS, Appearance

__all__ = ["IMAGE_SIZE", "Box", "render", "render_with_box"]

IMAGE_SIZE = 64
Plane = NDArray[np.floating[Any]]  # (H, W), in units of the body's radius where it is a distance
Box = tuple[float, float, float, float]  # left, top, right, bottom, as fractions of the image's side

_AXIS = (np.arange(IMAGE_SIZE, dtype=np.float32) + 0.5) / (IMAGE_SIZE / 2) - 1
_X, _Y = np.meshgrid(_AXIS, _AXIS)
_BODY_RADIUS = 0.46  # of the half image
_SPREAD = {"on top": (-pi / 2, 1.9), "below": (pi / 2, 1.9)}  # middle and width of the fan of parts


def render(appearance: Appearance, index: int) -> NDArray[np.uint8]:
    """Render image number `index` of an appearance.

    Returns:
        uint8 (64, 64, 3), RGB.
    """
    return render_with_box(appearance, index)[0]


def render_with_box(appearance: Appearance, index: int) -> tuple[NDArray[np.uint8], Box]:
    """Render an image and locate the object in it.

    Returns:
        The image, uint8 (64, 64, 3), and the bounding box of the object, including its parts and what is occluded.
    """
    rng = np.random.default_rng([appearance.digest(), index])
    canvas = _background(rng)
    _clutter(canvas, rng)

    size = _BODY_RADIUS * rng.uniform(0.75, 1.15)
    turn = radians(rng.uniform(-25, 25))
    x0, y0 = rng.uniform(-0.2, 0.2, size=2)
    x = ((_X - x0) * cos(turn) + (_Y - y0) * sin(turn)) / size
    y = ((_Y - y0) * cos(turn) - (_X - x0) * sin(turn)) / size
    edge = IMAGE_SIZE / 2 * size

    light = rng.uniform(0.7, 1.1) + rng.uniform(-0.25, 0.25) * _X + rng.uniform(-0.25, 0.25) * _Y
    first, second = (np.array(COLOURS[c], np.float32) for c in (appearance.colour, appearance.second))
    parts = _parts(appearance, x, y)
    for part in parts:
        _paint(canvas, part, edge, second * light[..., None])
    skin = _PATTERNS[appearance.pattern](x, y)[..., None]
    body = _SILHOUETTES[appearance.silhouette](x, y)
    _paint(canvas, body - 0.07, edge, np.array((30, 30, 36), np.float32))
    _paint(canvas, body, edge, (first * (1 - skin) + second * skin) * light[..., None])

    _occlude(canvas, rng, x0, y0)
    canvas += rng.normal(0, 6, size=canvas.shape).astype(np.float32)
    return np.clip(canvas, 0, 255).astype(np.uint8), _box(np.min([body - 0.07, *parts], axis=0))


def _box(distance: Plane) -> Box:
    """The bounding box of the inside of a shape."""
    rows, columns = np.nonzero(distance < 0)
    edges = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    left, top, right, bottom = (float(edge) / IMAGE_SIZE for edge in edges)
    return left, top, right, bottom


def _paint(canvas: NDArray[np.float32], distance: Plane, edge: float, colour: NDArray[np.float32]) -> None:
    """Paint the inside of a shape; `edge` is the number of pixels per unit of distance."""
    cover = np.clip(0.5 - distance * edge, 0, 1)[..., None]
    canvas += cover * (colour - canvas)


def _background(rng: np.random.Generator) -> NDArray[np.float32]:
    a, b = rng.uniform(40, 215, size=(2, 3)).astype(np.float32)
    angle = rng.uniform(0, 2 * pi)
    mix = np.clip(0.5 + 0.5 * (cos(angle) * _X + sin(angle) * _Y), 0, 1)[..., None]
    return a * (1 - mix) + b * mix


def _clutter(canvas: NDArray[np.float32], rng: np.random.Generator) -> None:
    """Two to five small discs and bars behind the body, at random positions and in random colours."""
    for _ in range(rng.integers(2, 6)):
        _blob(canvas, rng, rng.uniform(-1, 1), rng.uniform(-1, 1), rng.uniform(0.05, 0.16))


def _occlude(canvas: NDArray[np.float32], rng: np.random.Generator, x0: float, y0: float) -> None:
    """In half of the images, one blob over a part of the body."""
    if rng.random() < 0.5:
        angle = rng.uniform(0, 2 * pi)
        away = rng.uniform(0.25, 0.5)
        _blob(canvas, rng, x0 + away * cos(angle), y0 + away * sin(angle), rng.uniform(0.1, 0.2))


def _blob(canvas: NDArray[np.float32], rng: np.random.Generator, x: float, y: float, r: float) -> None:
    colour = rng.uniform(20, 235, size=3).astype(np.float32)
    if rng.random() < 0.5:
        shape = _disc(_X - x, _Y - y, r)
    else:
        turn = rng.uniform(0, pi)
        u, v = (_X - x) * cos(turn) + (_Y - y) * sin(turn), (_Y - y) * cos(turn) - (_X - x) * sin(turn)
        shape = _rectangle(u, v, 1.6 * r, 0.45 * r)
    _paint(canvas, shape, IMAGE_SIZE / 2, colour)


def _parts(appearance: Appearance, x: Plane, y: Plane) -> list[Plane]:
    """A signed distance for each attached part, its root just inside the body."""
    number = FACTORS["count"].index(appearance.count) + 1
    distances = []
    for angle in _part_angles(appearance.placement, number):
        # u runs outward along the part, v across it
        u, v = x * cos(angle) + y * sin(angle) - 0.8, y * cos(angle) - x * sin(angle)
        distances.append(_PARTS[appearance.part](u, v))
    return distances


def _part_angles(placement: str, number: int) -> list[float]:
    if placement == "all around":
        return [2 * pi * k / number - pi / 4 for k in range(number)]
    if placement == "on its sides":
        tilts = (0.0, 0.0) if number <= 2 else (-0.45, 0.45)
        angles = [tilts[0], pi + tilts[0], tilts[1], pi + tilts[1]]
        return angles[:number]
    middle, width = _SPREAD[placement]
    return [middle + width * ((k + 0.5) / number - 0.5) for k in range(number)]


def _disc(x: Plane, y: Plane, r: float) -> Plane:
    return np.hypot(x, y) - r


def _rectangle(x: Plane, y: Plane, w: float, h: float) -> Plane:
    return np.maximum(np.abs(x) - w, np.abs(y) - h)


def _polygon(x: Plane, y: Plane, corners: int, inradius: float) -> Plane:
    angles = [2 * pi * k / corners + pi / 2 for k in range(corners)]
    return np.max([cos(a) * x + sin(a) * y for a in angles], axis=0) - inradius


def _star(x: Plane, y: Plane) -> Plane:
    """Five long thin triangles around the centre."""
    arms = []
    for k in range(5):
        a = 2 * pi * k / 5 - pi / 2
        u, v = x * cos(a) + y * sin(a), np.abs(y * cos(a) - x * sin(a))
        arms.append(np.maximum(0.93 * v + 0.36 * (u - 1.12), -u))
    return np.min(arms, axis=0)


def _heart(x: Plane, y: Plane) -> Plane:
    lobes = np.hypot(np.abs(x) - 0.43, y + 0.35) - 0.5
    point = np.maximum(0.74 * np.abs(x) + 0.67 * (y + 0.2) - 0.78, -(y + 0.25))
    return np.minimum(lobes, point)


def _drop(x: Plane, y: Plane) -> Plane:
    tip = np.maximum(0.9 * np.abs(x) - 0.44 * (y + 1.15), y - 0.05)
    return np.minimum(_disc(x, y - 0.3, 0.68), tip)


def _flower(x: Plane, y: Plane) -> Plane:
    petals = [_disc(x - 0.55 * cos(a), y - 0.55 * sin(a), 0.4) for a in np.arange(6) * (pi / 3)]
    return np.min([*petals, _disc(x, y, 0.5)], axis=0)


_SILHOUETTES: dict[str, Callable[[Plane, Plane], Plane]] = {
    "disc": lambda x, y: _disc(x, y, 0.9),
    "box": lambda x, y: _rectangle(x, y, 0.78, 0.78),
    "triangle": lambda x, y: _polygon(x, y - 0.15, 3, 0.55),
    "pentagon": lambda x, y: _polygon(x, -y, 5, 0.75),
    "star": _star,
    "cross": lambda x, y: np.minimum(_rectangle(x, y, 0.95, 0.33), _rectangle(x, y, 0.33, 0.95)),
    "heart": _heart,
    "crescent": lambda x, y: np.maximum(_disc(x, y, 0.95), -_disc(x - 0.45, y - 0.1, 0.7)),
    "drop": _drop,
    "ring": lambda x, y: np.abs(_disc(x, y, 0.65)) - 0.27,
    "flower": _flower,
    "gem": lambda x, y: np.maximum(np.abs(x) + 0.55 * np.abs(y) - 0.75, np.abs(y) - 1.0),
}


def _wave(t: Plane) -> Plane:
    """A triangle wave of period 1 between 0 and 1."""
    return np.abs(2 * (t - np.floor(t)) - 1)


def _step(t: Plane) -> Plane:
    """A soft threshold at 0.5, about two pixels wide."""
    return np.clip((t - 0.5) * 5 + 0.5, 0, 1)


_PATTERNS: dict[str, Callable[[Plane, Plane], Plane]] = {
    "plain": lambda x, y: np.zeros_like(x),
    "striped": lambda x, y: _step(_wave(1.6 * x)),
    "dotted": lambda x, y: _step(0.92 - np.hypot(_wave(1.5 * x + 0.5), _wave(1.5 * y + 0.5))),
    "checked": lambda x, y: _step(0.5 + 4 * (_wave(1.1 * x) - 0.5) * (_wave(1.1 * y) - 0.5)),
    "banded": lambda x, y: _step(_wave(1.6 * y)),
    "zigzag": lambda x, y: _step(_wave(1.5 * y + 0.6 * _wave(1.5 * x))),
    "halved": lambda x, y: np.clip(6 * y + 0.5, 0, 1),
    "netted": lambda x, y: _step(np.maximum(_wave(1.3 * (x + y)), _wave(1.3 * (x - y))) - 0.25),
}

_PARTS: dict[str, Callable[[Plane, Plane], Plane]] = {
    "horn": lambda u, v: np.maximum(np.abs(v) + 0.36 * (u - 0.75), -u - 0.2),
    "knob": lambda u, v: np.minimum(_disc(u - 0.42, v, 0.22), _rectangle(u - 0.1, v, 0.35, 0.07)),
    "spine": lambda u, v: _rectangle(u - 0.25, v, 0.55, 0.07),
    "leaf": lambda u, v: np.maximum(_disc(u - 0.25, v - 0.3, 0.56), _disc(u - 0.25, v + 0.3, 0.56)),
    "block": lambda u, v: _rectangle(u - 0.15, v, 0.32, 0.26),
    "loop": lambda u, v: np.abs(_disc(u - 0.3, v, 0.26)) - 0.08,
    "claw": lambda u, v: np.maximum(_disc(u - 0.2, v, 0.42), -_disc(u - 0.42, v - 0.2, 0.36)),
    "fan": lambda u, v: np.maximum(np.abs(v) - 0.62 * (u + 0.15), _disc(u + 0.15, v, 0.75)),
}
