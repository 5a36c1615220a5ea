"""The models that ship with the package: how they are trained, what they must reach, and what they do."""
