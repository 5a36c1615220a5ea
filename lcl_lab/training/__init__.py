"""Training: how weights change, on `accelerate`; what they are trained on are `lcl_lab.strategies`."""
