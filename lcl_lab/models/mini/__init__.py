"""The embedded models: a small LLaVA, its CLIP, and the nearest-prototype reference."""
