"""Tiny random checkpoints of every image-text-to-text architecture that the installed transformers knows."""

from lcl_lab.benchmarks.architectures.build import CannotBuild, build, names

__all__ = ["CannotBuild", "build", "names"]
