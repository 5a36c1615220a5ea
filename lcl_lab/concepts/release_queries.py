"""The queries of the release's evaluation files: each with the image lists from which its support is taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lcl_lab.concepts.dataset import ImageRef, Pair
from lcl_lab.concepts.image_files import ImageFiles
from lcl_lab.concepts.release import (
    HUB_DATASETS,
    ISEKAI_FIELDS,
    download_isekai,
    parse_line,
    read_imagenet,
    read_isekai,
    read_lines,
)
from lcl_lab.errors import UserError, nearest

__all__ = ["FixedQuery", "read_release_queries"]

_QUERIES_PER_CLASS = 50  # of ImageNet-100, in the release's config
_FORMS = ("isekai:FILE", "imagenet:FILE")


@dataclass(frozen=True)
class FixedQuery:
    """One query of a file of the release.

    Attributes:
        image: the image to name.
        concepts: ids of the true concept and the other one.
        names: their names, as prompts show them.
        supports: the images of each for supports, in the file's order; the first n of each are used.
        pair: the pair of look-alikes, the same for both orders of the two concepts.
    """

    image: ImageRef
    concepts: tuple[str, str]
    names: tuple[str, str]
    supports: tuple[Sequence[ImageRef], Sequence[ImageRef]]
    pair: Pair


def read_release_queries(name: str) -> tuple[ImageFiles, list[FixedQuery]]:
    """Read a dataset of the release and the queries of its evaluation, in the order of the file.

    Every line of ISEKAI-10 and ISEKAI-pair is a query. In ImageNet-100, the first 50 `test_samples` of each class are,
    and names are in lower case.

    Args:
        name: `isekai-10`, `isekai-pair`, `isekai:FILE` or `imagenet:FILE`.

    Raises:
        UserError: the name is none of these, or the file is missing, damaged or not one for evaluation.
    """
    kind, _, file = name.partition(":")
    if name in HUB_DATASETS:
        path = download_isekai(HUB_DATASETS[name])
    elif kind in ("isekai", "imagenet") and file:
        path = Path(file)
    else:
        reason = f"is not evaluated by the release; {nearest(name, (*HUB_DATASETS, *_FORMS))}"
        raise UserError(reason, option="data", value=name)
    if kind == "imagenet":
        return _imagenet(path)
    return _isekai(path)


def _isekai(path: Path) -> tuple[ImageFiles, list[FixedQuery]]:
    dataset = read_isekai(path)
    references, pairs = _references(dataset), _pairs(dataset)
    queries = []
    for number, line in read_lines("isekai", path):
        fields = parse_line(path, number, line, ISEKAI_FIELDS)
        images = {
            fields[f"{side}_promt"]: [references[fields[f"{side}_promt"], path.parent / one] for one in listed]
            for side, listed in (("positive", fields["positive_list"]), ("negative", fields["negative_list"]))
        }
        true = fields["label_name"]
        (other,) = (concept for concept in images if concept != true)
        queries.append(
            FixedQuery(
                references[true, path.parent / fields["image_name"]],
                (true, other),
                (true, other),
                (images[true], images[other]),
                pairs[frozenset((true, other))],
            )
        )
    return dataset, queries


def _imagenet(path: Path) -> tuple[ImageFiles, list[FixedQuery]]:
    dataset = read_imagenet(path)
    pairs = _pairs(dataset)
    if not all(concept.contexts for concept in dataset.concepts.values()):
        reason = "has no context_samples; the release evaluates test100_pairs.jsonl"
        raise UserError(reason, option="data", value=f"imagenet:{path}")
    classes = list(dataset.concepts.values())
    queries = []
    for index, concept in enumerate(classes):
        other = classes[index + 1 if index % 2 == 0 else index - 1]
        supports = tuple(
            [ImageRef(dataset.name, one.id, number) for number in range(one.contexts)] for one in (concept, other)
        )
        first, last = concept.contexts, min(concept.images, concept.contexts + _QUERIES_PER_CLASS)
        queries += [
            FixedQuery(
                ImageRef(dataset.name, concept.id, number),
                (concept.id, other.id),
                (concept.name.lower(), other.name.lower()),
                (supports[0], supports[1]),
                pairs[frozenset((concept.id, other.id))],
            )
            for number in range(first, last)
        ]
    return dataset, queries


def _references(dataset: ImageFiles) -> Mapping[tuple[str, Path], ImageRef]:
    """The reference of each image file of each concept."""
    return {
        (concept, file): ImageRef(dataset.name, concept, number)
        for concept, files in dataset.files.items()
        for number, file in enumerate(files)
    }


def _pairs(dataset: ImageFiles) -> Mapping[frozenset[str], Pair]:
    return {frozenset(pair): pair for pair in dataset.pairs}
