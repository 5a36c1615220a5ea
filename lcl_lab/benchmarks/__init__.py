"""Benchmarks: speed against the usual way, measured in one run."""
