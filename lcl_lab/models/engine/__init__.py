"""The evaluation engines: shared-prefix and reference, with their caches."""
