"""The answer on a plan: what to quantize, in few lines, and what is not known yet."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from analysis.outcome import PlanOutcome
from probes.records.precision import Precision

TITLE = "What to quantize"
MOST_LINES, CHARACTERS = 8, 80
"""Of the sentences on a terminal: lines, and the characters of one."""
INDENT = 2
"""Characters by which further lines of a sentence are indented."""


def on_plan(plan: PlanOutcome | None) -> list[str]:
    """What to quantize, the choice first, in sentences that take ``MOST_LINES`` at most.

    What was not found yet comes last. Empty where no plan was asked for.
    """
    if plan is None:
        return []
    return in_brief(plan.sentences, on_missing(plan.missing))


def in_brief(sentences: Sequence[str], last: Sequence[str]) -> list[str]:
    """As many of these sentences, the first ones first, as take ``MOST_LINES`` with the last."""
    left = MOST_LINES - sum(map(_lines, last))
    told = []
    for sentence in sentences:
        if _lines(sentence) <= left:
            told.append(sentence)
            left -= _lines(sentence)
    return [*told, *last]


def _lines(sentence: str) -> int:
    """Lines that a sentence takes on a narrow terminal."""
    return len(wrap(sentence, CHARACTERS, subsequent_indent=" " * INDENT))


def on_missing(parts: Sequence[str]) -> list[str]:
    """A sentence on what was not found yet; none if all was."""
    if not parts:
        return []
    *first, last = parts
    listed = f"{', '.join(first)} and {last}" if first else last
    return [f"Not found yet: {listed}. The run ended before; ask again with --plan."]


def missing(known: Precision) -> list[str]:
    """What a run has not found of a network in lower precision, in words."""
    parts = []
    if not known.stages:
        parts.append("the network's stages")
    if not known.ranges:
        parts.append("ranges of activations")
    if not any(row.stage for row in known.errors):
        parts.append("errors of the stages")
    if known.plan is None or not known.plan.recipes:
        parts.append("the recipes to run")
    elif not any(row.recipe for row in known.errors):
        parts.append("errors of the recipes")
    if known.plan is None or not known.plan.chosen:
        parts.append("the choice")
    return parts
