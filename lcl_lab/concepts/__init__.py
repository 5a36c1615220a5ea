"""Concepts: where images and names come from."""

from lcl_lab.concepts.registry import DATASETS, load_concepts
from lcl_lab.concepts.types import Concept, ConceptSet, ImageRef, Pair

__all__ = ["DATASETS", "Concept", "ConceptSet", "ImageRef", "Pair", "load_concepts"]
