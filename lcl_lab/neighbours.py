"""Mines hard negatives: `python -m lcl_lab.neighbours --data world-900 --out train900_pairs.jsonl`.

Every class of a set gets its neighbours by CLIP, most similar first: the other classes are sorted by a
weighted sum of image-image, image-text and text-text similarity and cut into N equal intervals, and one
class is drawn in each (Tai et al., section 3.2). The file has the form of the authors' release.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lcl_lab.cli import Parser, at_least, run_program
from lcl_lab.errors import UserError

__all__ = ["main"]


def main(arguments: Sequence[str]) -> None:
    """Mine, and write the file."""
    options = _parser().parse_args(arguments)
    out: Path = options.out
    if out.exists():
        raise UserError(f"--out {out}: is there already; give another path")
    if not out.parent.is_dir():
        raise UserError(f"--out {out}: no folder {out.parent}")

    from lcl_lab.concepts import load_dataset

    concepts = load_dataset(options.data)
    others = len(concepts.concepts) - 1
    count = min(100, others) if options.count is None else options.count
    if not 1 <= count <= others:
        raise UserError(f"--count {count}: each class of {concepts.name} has {others} others; give 1 to {others}")
    if min(options.weights) < 0 or sum(options.weights) == 0:
        raise UserError(f"--weights {' '.join(map(str, options.weights))}: none below 0, and not all 0")

    import numpy as np

    from lcl_lab.concepts.neighbours_file import write_neighbours
    from lcl_lab.models.clip_registry import load_clip_by_name
    from lcl_lab.training.mine_neighbours import mine_neighbours

    clip = load_clip_by_name(options.clip)
    rows = mine_neighbours(concepts, clip, options.images, count, tuple(options.weights), options.seed)
    write_neighbours(out, concepts, rows, np.random.default_rng([options.seed, 5]))
    print(out)


def _parser() -> Parser:
    parser = Parser(prog="python -m lcl_lab.neighbours", description="Mine hard negatives with a CLIP.")
    parser.add_argument("--data", default="world-900", help="concept set, or a Python file that makes one")
    clip = "mini/prototype (default) or open_clip's MODEL:PRETRAINED, such as ViT-L-14:openai or ViT-L-14:weights.pt"
    parser.add_argument("--clip", default="mini/prototype", metavar="NAME", help=clip)
    parser.add_argument("--out", type=Path, default=Path("train900_pairs.jsonl"), help="the file to write")
    parser.add_argument(
        "--images", type=at_least(1), default=100, metavar="N", help="of a class, at most (default 100)"
    )
    parser.add_argument("--count", type=int, metavar="N", help="neighbours of a class (default 100, or all)")
    weights = "of image-image, image-text and text-text similarity (default 0.5 0.25 0.25)"
    parser.add_argument("--weights", type=float, nargs=3, default=(0.5, 0.25, 0.25), metavar="W", help=weights)
    parser.add_argument("--seed", type=at_least(0), default=0, help="of every draw (default 0)")
    return parser


if __name__ == "__main__":
    run_program(main)
