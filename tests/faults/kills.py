"""How often the tests that kill a program kill it: few times by default, more often where time allows."""

from __future__ import annotations

import os

__all__ = ["ROUNDS", "STUDIES", "STUDY", "SWEEP_WORKERS", "TRAINING"]

ROUNDS = int(os.environ.get("KILL_ROUNDS", "1"))
STUDY = 6 * ROUNDS
STUDIES = 2 * ROUNDS
TRAINING = 8 * ROUNDS
SWEEP_WORKERS = 6 * ROUNDS
