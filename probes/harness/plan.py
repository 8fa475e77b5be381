"""How long to sample each case: one budget for all cases and rounds, so that new cases never lengthen a run."""

from __future__ import annotations

from probes.harness.timing import Rule

SAMPLE_SECONDS = {"cpu": 0.010, "cuda": 0.004}
"""A sample outlasts launch costs a hundredfold, and is short enough to fall between two preemptions."""
WARM_SECONDS = {"cpu": 0.0, "cuda": 0.025}
"""A GPU lowers its clock within some milliseconds of a heavy load; a CPU's is probed beside every sample."""
MOST, LEAST = 1.0, 0.02  # seconds of one case and round


def rule_for(kind: str, steps: int, total_seconds: float) -> Rule:
    """The stopping rule when ``steps`` (cases x rounds) share ``total_seconds`` of sampling."""
    share = total_seconds / max(1, steps)
    return Rule(SAMPLE_SECONDS[kind], min(MOST, max(LEAST, share)), WARM_SECONDS[kind])
