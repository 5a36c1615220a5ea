"""Converters of released checkpoints to `transformers`."""
