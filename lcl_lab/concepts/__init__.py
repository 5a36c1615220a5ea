"""Concepts: where images and names come from."""

from lcl_lab.concepts.appearance import FACTORS, Appearance, description_words, random_appearance
from lcl_lab.concepts.dataset import Concept, Dataset, ImageRef, Pair
from lcl_lab.concepts.datasets import DATASETS, load_dataset
from lcl_lab.concepts.names import invent_names, random_string
from lcl_lab.concepts.render import IMAGE_SIZE, Box, render, render_with_box

__all__ = [
    "DATASETS",
    "FACTORS",
    "IMAGE_SIZE",
    "Appearance",
    "Box",
    "Concept",
    "Dataset",
    "ImageRef",
    "Pair",
    "description_words",
    "invent_names",
    "load_dataset",
    "random_appearance",
    "random_string",
    "render",
    "render_with_box",
]
