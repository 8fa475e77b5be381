"""How long to sample each case: one budget for all cases and rounds, so that new cases never lengthen a run."""

from __future__ import annotations

import math

from probes.harness.statistics import FEWEST
from probes.harness.timing import Rule

SAMPLE_SECONDS = {"cpu": 0.010, "cuda": 0.004}
"""A sample outlasts launch costs a hundredfold, and is short enough to fall between two preemptions."""
WARM_SECONDS = {"cpu": 0.0, "cuda": 0.010}
"""A GPU lowers its clock within some milliseconds of a heavy load; a CPU's is probed beside every sample."""
TOTAL_SECONDS = {"cpu": 24.0, "cuda": 6.0}
"""Sampling time of a whole run. A GPU is quiet within some samples, and has many more ceilings."""
QUICK_SECONDS = 2.0
ROUNDS, QUICK_ROUNDS = {"cpu": 3, "cuda": 2}, 1
MOST, LEAST = 1.0, 0.014  # seconds of one case and round


def rounds(kind: str, quick: bool) -> int:
    """How often each case is visited."""
    return QUICK_ROUNDS if quick else ROUNDS[kind]


def rule_for(kind: str, cases: int, quick: bool) -> Rule:
    """The stopping rule when so many cases share the time of a run."""
    visits = rounds(kind, quick)
    share = (QUICK_SECONDS if quick else TOTAL_SECONDS[kind]) / max(1, cases * visits)
    budget = min(MOST, max(LEAST, share))
    return Rule(SAMPLE_SECONDS[kind], budget, WARM_SECONDS[kind], fewest=math.ceil(FEWEST / visits))
