from .appearance import FACTORS, Appearance, description_words, random_appearance
from .dataset import Concept, Dataset, ImageRef, Pair, check_dataset, dataset_identity
from .datasets import DATASETS, KNOWN_THINGS, dataset_name, load_dataset, register_dataset
from .drawings import Drawings, read_drawings, shipped_drawings
from .image_files import ImageFiles
from .image_folder import read_folder
from .look_alike_groups import look_alike_group
from .names import Naming, invent_names, random_name, random_string
from .release import read_imagenet, read_isekai, read_isekai_from_hub
from .release_queries import FixedQuery, read_release_queries
from .renamed_dataset import INVENTED, USUAL, rename_concepts
from .renderer import IMAGE_SIZE, Box, render, render_with_box
from .vl_icl import read_vl_icl
from .vqav2 import VQA, VisualQuestion, read_vqa
from .world import World, isekai_mini, world_100, world_900, world_dev

__all__ = [
    "DATASETS",
    "FACTORS",
    "IMAGE_SIZE",
    "INVENTED",
    "KNOWN_THINGS",
    "USUAL",
    "VQA",
    "Appearance",
    "Box",
    "Concept",
    "Dataset",
    "Drawings",
    "FixedQuery",
    "ImageFiles",
    "ImageRef",
    "Naming",
    "Pair",
    "VisualQuestion",
    "World",
    "check_dataset",
    "dataset_identity",
    "dataset_name",
    "description_words",
    "invent_names",
    "isekai_mini",
    "load_dataset",
    "look_alike_group",
    "random_appearance",
    "random_name",
    "random_string",
    "read_drawings",
    "read_folder",
    "read_imagenet",
    "read_isekai",
    "read_isekai_from_hub",
    "read_release_queries",
    "read_vl_icl",
    "read_vqa",
    "register_dataset",
    "rename_concepts",
    "render",
    "render_with_box",
    "shipped_drawings",
    "world_100",
    "world_900",
    "world_dev",
]
