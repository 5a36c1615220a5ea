"""Trains the photo models from published weights and openly licensed pictures, and ships them."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from lcl_lab import analysis, models, training
from lcl_lab.atomic import write_json
from lcl_lab.concepts import INVENTED, Drawings, Pair, read_drawings, rename_concepts
from lcl_lab.models.checkpoint import CARD, fingerprint, shipped_folder
from lcl_lab.models.checkpoint_files import read_object
from lcl_lab.models.look_alikes import find_look_alikes
from lcl_lab.models.photo.photo_vision_tower import TOWER_FILE
from lcl_lab.zoo.photo_config import PhotoTrainConfig
from lcl_lab.zoo.photo_evaluation import evaluate_naming
from lcl_lab.zoo.photo_tower import make_photo_tower
from lcl_lab.zoo.picture_sources import FONT, HELD_OUT_SETS, TRAINING_SETS, WEIGHTS, Package, fetch
from lcl_lab.zoo.pictures import Drawn, draw_emoji, draw_letters, drawing_index, write_drawings
from lcl_lab.zoo.zoo_evaluation import ZooEvaluation, evaluate_links

__all__ = ["PHOTO_MODELS", "PhotoCriterion", "PhotoReport", "check_photo_criteria", "train_photo_models"]

PHOTO_MODELS = ("base", "2-way", "mix")
"""The models with a decoder, each after the one that it starts from."""
_IMAGES = 12  # of a concept that models are trained on
_SCENES = {"train": 6, "dev": 6, "test": 8, "letters": 6}  # images of a drawing
_CONCEPTS = 100  # of an evaluation dataset
_LETTERS = 120  # from which they are chosen
_NAMING = 1000  # steps of base
_NOTICING = 700  # steps; with 1,024 tokens, links are noticed later than with letters
_PLAN = ZooEvaluation(("emoji-100", "glyphs-100"), (0, 2, 4, 8), queries=200, questions=2000)
_TINY = replace(_PLAN, shots=(0, 2, 4), queries=8, questions=8)
_WEIGHTS, _OWN, _INDEX = "model.safetensors", "model-00001-of-00002.safetensors", "model.safetensors.index.json"


@dataclass(frozen=True)
class PhotoCriterion:
    """A criterion of the photo models and what was measured.

    Attributes:
        criterion: what was required.
        measured: the accuracy, difference or number.
        met: whether it is met.
    """

    criterion: str
    measured: float
    met: bool


@dataclass(frozen=True)
class PhotoReport:
    """What came out of training the photo models.

    Attributes:
        estimates: accuracies of every model and condition.
        criteria: what was required.
        cards: the card of each model.
        seconds: wall time of the whole call.
    """

    estimates: pd.DataFrame
    criteria: Sequence[PhotoCriterion]
    cards: Mapping[str, Mapping[str, Any]]
    seconds: float


def train_photo_models(config: PhotoTrainConfig) -> PhotoReport:
    """Download what is needed, make the datasets, train the models, evaluate them, and, if asked to, ship them.

    The prototype classifier and the datasets are shipped in any case, models with a decoder if all criteria are met.
    What is finished is not repeated, and a training that was killed resumes.

    Raises:
        UserError: a package cannot be downloaded, or a model cannot be trained.
    """
    started = time.perf_counter()
    threads = config.threads or os.cpu_count() or 1
    torch.set_num_threads(threads)
    pictures = config.out / "pictures"
    _make_pictures(pictures, threads)
    known = read_drawings(pictures / "emoji-train.zip")
    prototype = config.out / "prototype"
    if not (prototype / CARD).exists():
        make_photo_tower(fetch(WEIGHTS, config.out / "packages"), known, prototype, threads)
    plan = _PLAN if config.preset == "default" else _TINY
    datasets = [_evaluation_dataset(pictures, name, str(prototype)) for name in plan.data]
    for name in PHOTO_MODELS:
        _train(name, config)
    checkpoints = [_checkpoint(config.out / name) for name in ("prototype", *PHOTO_MODELS)]
    named = [rename_concepts(dataset, INVENTED, plan.seed) for dataset in datasets]
    records = evaluate_links(checkpoints, named, plan)
    naming = evaluate_naming(checkpoints[1:], known, _IMAGES, plan)
    estimates = _accuracies(records, naming, plan.seed)
    for name in ("prototype", *PHOTO_MODELS):
        _write_accuracies(config.out / name, estimates[estimates["model"] == name])
    criteria = check_photo_criteria(estimates, naming)
    cards = {name: read_object(config.out / name / CARD, "out", config.out) for name in ("prototype", *PHOTO_MODELS)}
    if config.ship:
        is_met = all(criterion.met for criterion in criteria)
        _ship(config.out, ("prototype", *PHOTO_MODELS) if is_met else ("prototype",), datasets)
    return PhotoReport(estimates, criteria, cards, time.perf_counter() - started)


def check_photo_criteria(estimates: pd.DataFrame, naming: pd.DataFrame) -> list[PhotoCriterion]:
    """Check what is required of the photo models.

    Args:
        estimates: accuracies as `train_photo_models` reports them.
        naming: records of `evaluate_naming`.
    """
    emoji = estimates[(estimates["data"] == "emoji-100") & (estimates["model"] == "2-way")]
    most = emoji["shots"].max()
    at_most = emoji[emoji["shots"] == most].set_index(["false_ratio", "metric"])["estimate"]
    true, false, opened = at_most[0.0, "candidate"], at_most[1.0, "candidate"], at_most[0.0, "open-ended"]
    wide = naming.pivot(index="query_id", columns="model", values="correct_open").astype(float)
    change = float(wide["mix"].mean() - wide["base"].mean())
    return [
        PhotoCriterion(f"2-way, emoji-100, {most} shots, candidate at least 0.85", true, bool(true >= 0.85)),
        PhotoCriterion(f"2-way, emoji-100, {most} shots, all labels false, at most 0.15", false, bool(false <= 0.15)),
        PhotoCriterion(
            f"2-way, emoji-100, {most} shots, open-ended within 0.05 of candidate",
            opened - true,
            bool(abs(opened - true) <= 0.05),
        ),
        PhotoCriterion("mix names known things within 0.02 of base", change, abs(change) <= 0.02),
    ]


def _make_pictures(folder: Path, workers: int) -> None:
    """Write the archives of drawings; evaluation datasets are chosen from those of all held-out concepts later."""
    names = ("emoji-train", "emoji-dev", "emoji-test", "letters")
    if all((folder / f"{name}.zip").exists() for name in names):
        return
    packages = folder.parent / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    folder.mkdir(exist_ok=True)
    emoji = draw_emoji(packages, workers)
    for split, drawn in emoji.items():
        sources = TRAINING_SETS if split == "train" else HELD_OUT_SETS
        _write(folder, f"emoji-{split}", drawn, _SCENES[split], sources)
    _write(folder, "letters", draw_letters(packages, _LETTERS), _SCENES["letters"], [FONT])


def _write(folder: Path, name: str, drawn: Drawn, scenes: int, sources: Sequence[Package]) -> None:
    """Write an archive whose pairs are neighbours in the alphabet, which training does not use."""
    ids = list(drawn)
    pairs = [Pair(first, second) for first, second in zip(ids[::2], ids[1::2], strict=False)]
    write_drawings(folder / f"{name}.zip", drawn, drawing_index(name, drawn, pairs, scenes, sources))


def _evaluation_dataset(folder: Path, name: str, clip: str) -> Drawings:
    """Pair look-alikes among all concepts that were held out, and write the first fifty pairs as a dataset."""
    path = folder / f"{name}.zip"
    if not path.exists():
        source = read_drawings(folder / f"{'emoji-test' if name == 'emoji-100' else 'letters'}.zip")
        pairs = find_look_alikes(source, clip)[: _CONCEPTS // 2]
        drawn = {id: source.content(id) for pair in pairs for id in pair}
        sources = HELD_OUT_SETS if name == "emoji-100" else [FONT]
        write_drawings(path, drawn, drawing_index(name, drawn, pairs, _SCENES["test"], sources))
    return read_drawings(path)


def _train(name: str, config: PhotoTrainConfig) -> None:
    out = config.out / name
    if (out / CARD).exists():
        return
    start = config.out / ("prototype" if name == "base" else "base")
    steps: dict[str, Any] = {}
    if config.preset == "default":
        steps = {"steps": _NAMING} if name == "base" else {"noticing_steps": _NOTICING}
    training.train_model(
        preset=config.preset,
        strategy=name,
        out=out,
        start=str(start),
        data=f"drawings:{config.out / 'pictures' / 'emoji-train.zip'}",
        held_out=f"drawings:{config.out / 'pictures' / 'emoji-dev.zip'}",
        clip=str(config.out / "prototype"),
        names="forms",
        images=_IMAGES,
        threads=config.threads,
        **steps,
    )


def _checkpoint(folder: Path) -> models.Checkpoint:
    return replace(models.find_checkpoint(str(folder)), name=folder.name)


def _accuracies(records: pd.DataFrame, naming: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Accuracy and 95 % interval for every model, dataset, condition and metric."""
    metrics = {metric: analysis.METRICS[metric] for metric in analysis.MAIN_METRICS}
    data = records["data"].str.replace(r" \(.*\)$", "", regex=True)  # all names are invented
    linked = analysis.accuracy(records.assign(data=data), ["model", "data", "shots", "false_ratio"], seed, metrics)
    exact = analysis.accuracy(naming, ["model"], seed, {"exact": "correct_open"})
    return pd.concat([linked, exact.assign(data="naming", shots=0, false_ratio=0.0)], ignore_index=True)


def _write_accuracies(folder: Path, estimates: pd.DataFrame) -> None:
    """Add the accuracies to the card of a model."""
    card = read_object(folder / CARD, "out", folder)
    columns = ["data", "shots", "false_ratio", "metric", "n", "estimate", "low", "high"]
    card["accuracy"] = estimates[columns].round(4).to_dict(orient="records")
    write_json(folder / CARD, card)


def _ship(out: Path, names: Sequence[str], datasets: Sequence[Drawings]) -> None:
    """Replace the shipped photo models and datasets. All models share the file of the tower."""
    target = shipped_folder("photo")
    part = target.with_name(f".{target.name}.{os.getpid()}")
    for name in names:
        shutil.copytree(out / name, part / name, ignore=shutil.ignore_patterns("training.*"))
        if name != "prototype":
            _share_tower(part / name)
    shutil.rmtree(target, ignore_errors=True)
    os.replace(part, target)
    for dataset in datasets:
        shutil.copy(out / "pictures" / f"{dataset.name}.zip", target.parent)


def _share_tower(folder: Path) -> None:
    """Replace the tower's weights in a checkpoint by a reference to the file of the prototype."""
    weights = load_file(folder / _WEIGHTS)
    with safe_open(folder.parent / "prototype" / TOWER_FILE, "pt") as tower:
        shared = set(tower.keys())
    trained = {name: tensor for name, tensor in weights.items() if name not in shared}
    save_file(trained, folder / _OWN, {"format": "pt"})
    (folder / _WEIGHTS).unlink()
    places = {**dict.fromkeys(trained, _OWN), **dict.fromkeys(shared, f"../prototype/{TOWER_FILE}")}
    size = sum(tensor.nbytes for tensor in weights.values())
    digest = fingerprint(folder.parent / "prototype", (TOWER_FILE,))  # which the fingerprint of the model then covers
    index = {"metadata": {"total_size": size, "tower": digest}, "weight_map": dict(sorted(places.items()))}
    write_json(folder / _INDEX, index)
    card = read_object(folder / CARD, "out", folder)
    write_json(folder / CARD, {**card, "fingerprint": fingerprint(folder)})
