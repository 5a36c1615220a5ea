"""Strategies: how a model is trained on episodes."""
