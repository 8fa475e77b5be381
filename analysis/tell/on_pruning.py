"""The answer on pruning: what to prune, in few lines, and what is not known yet."""

from __future__ import annotations

from analysis.outcome import PruneOutcome
from analysis.tell.on_plan import in_brief, on_missing

TITLE = "What to prune"


def on_pruning(pruning: PruneOutcome | None) -> list[str]:
    """What to prune, the choice first, in few sentences; what was not found yet comes last.

    Empty where it was not asked for.
    """
    if pruning is None:
        return []
    return in_brief(pruning.sentences, on_missing(pruning.missing))
