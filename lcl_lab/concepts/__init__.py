"""Concepts: where images and names come from."""

from lcl_lab.concepts.look import FACTORS, Look, description_words, random_look
from lcl_lab.concepts.registry import DATASETS, load_concepts
from lcl_lab.concepts.render import IMAGE_SIZE, Box, render, render_with_box
from lcl_lab.concepts.types import Concept, ConceptSet, ImageRef, Pair
from lcl_lab.concepts.words import invent_names, random_string

__all__ = [
    "DATASETS",
    "FACTORS",
    "IMAGE_SIZE",
    "Box",
    "Concept",
    "ConceptSet",
    "ImageRef",
    "Look",
    "Pair",
    "description_words",
    "invent_names",
    "load_concepts",
    "random_look",
    "random_string",
    "render",
    "render_with_box",
]
