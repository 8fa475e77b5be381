"""What is said of a comparison: the answer first, then each change with its evidence and cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from analysis.compare.comparison import (
    FAILED,
    PASSED,
    ComparedRow,
    Comparison,
    slower_first,
)
from analysis.compare.sides import FEWEST_SIDES
from analysis.compare.verdict import (
    CANNOT_TELL,
    ENOUGH_RUNS,
    FASTER,
    FEW_RUNS,
    MISSING,
    NOISE,
    SAME,
    SLOWER,
    UNEQUAL_LOAD,
    UNTRUSTED,
    Verdict,
)
from analysis.compare.why import MORE_LOAD, change_in_words
from analysis.naming import few
from analysis.units import percent

MOST_CHANGES = 8
"""Changes that a terminal is told of; the page and the files have all."""
PAGE = "compared.html"
"""Name of the page."""
MOST_NAMES = 3
"""Rows that a sentence names."""


def answer(comparison: Comparison) -> str:
    """``2 of 33 rows are slower, 20 the same, 11 cannot be told: 3 runs against 3.``"""
    counts = comparison.counts
    missing = _reasons(comparison)[MISSING]
    parts = [f"{counts[name]} {name}" for name in (SLOWER, FASTER, SAME) if counts[name]]
    untold = counts[CANNOT_TELL] - missing
    if untold:
        parts.append(f"{untold} cannot be told")
    first, *others = comparison.sides
    total = comparison.shared
    what = "row" if total == 1 else "rows"
    against = f"{len(others)} sides against {first.name}"
    if len(others) == 1:
        plural = "run" if len(comparison.runs) == FEWEST_SIDES else "runs"
        against = f"{len(others[0].runs)} against {len(first.runs)} {plural}"
    return f"Of {total} {what} {', '.join(parts)}: {against}."


def sentences(comparison: Comparison, most: int | None = MOST_CHANGES) -> list[str]:
    """Each change with its evidence and cause, then why the rest cannot be told.

    most: how many changes are told; None: all.
    """
    changed = slower_first(comparison)
    lines = [change_sentence(comparison, row, place) for row, place in changed[:most]]
    more = len(changed) - len(lines)
    if more > 0:
        lines.append(f"{more} more changed.")
    return [*lines, *clocks(comparison), *untold(comparison), *comparison.notes]


def change_sentence(comparison: Comparison, row: ComparedRow, place: int) -> str:
    """``FP32: slower. 10.1 % slower, between … . Why: the clock was …``"""
    verdict = row.verdicts[place - 1]
    side = f" on {comparison.sides[place].name}" if len(comparison.sides) > 2 else ""
    sentence = f"{row.row.name}{side}: {verdict.evidence}."
    reason = why_sentence(verdict)
    return f"{sentence} Why: {reason}." if reason else sentence


def why_sentence(verdict: Verdict) -> str:
    """What explains a difference; empty where there is none, or nothing is known that does."""
    difference = verdict.difference
    if difference is None or (difference.cause == "" and not difference.differs):
        return ""
    return difference.because


def clocks(comparison: Comparison) -> list[str]:
    """What clocks explain of rows that are neither slower nor faster."""
    differing = []
    for row in comparison.rows:
        for verdict in row.verdicts:
            difference = verdict.difference
            has_changed = verdict.verdict in (SLOWER, FASTER)
            if has_changed or difference is None or difference.at_equal_clock is None:
                continue
            if difference.differs:
                differing.append(difference)
    explained = [difference for difference in differing if difference.clock_explains]
    if not explained:
        return []
    most = percent(max(abs(difference.ratio - 1) for difference in differing))
    other = "other " if slower_first(comparison) else ""  # than those that were named
    if len(differing) == 1:
        return [f"1 {other}row differs by {most}; at equal clock it is the same."]
    return [
        f"{len(differing)} {other}rows differ by 1 % to {most}: at equal clock {len(explained)} of "
        "these would be the same."
    ]


def _reasons(comparison: Comparison) -> Counter[str]:
    """How often each reason kept a verdict from being told."""
    return Counter(
        verdict.why_not
        for row in comparison.rows
        for verdict in row.verdicts
        if verdict.verdict == CANNOT_TELL
    )


def untold(comparison: Comparison) -> list[str]:
    """Why rows cannot be told, and what would tell them."""
    reasons = _reasons(comparison)
    loads = f": others had {_loads(comparison)} of the processors' time"
    was_busy = any((run.circumstances.busy or 0.0) > MORE_LOAD for run in comparison.runs)
    lines = []
    if count := reasons[UNTRUSTED]:
        lines.append(
            f"{_rows(count)} cannot be told since too few of their runs can be trusted"
            f"{loads if was_busy else ''}."
        )
    if count := reasons[UNEQUAL_LOAD]:
        lines.append(f"{_rows(count)} cannot be told since the load was unequal{loads}.")
    if count := reasons[NOISE]:
        lines.append(f"{_rows(count)} cannot be told from the spread of runs; more runs would.")
    if count := reasons[FEW_RUNS]:
        lines.append(
            f"{_rows(count)} cannot be told by so few runs: with {ENOUGH_RUNS} or more a side "
            "(run_all.py --repeat 3) their own spread is the noise."
        )
    if count := reasons[MISSING]:
        verb = "was" if count == 1 else "were"
        lines.append(f"{_rows(count)} {verb} measured on one side only.")
    return lines


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _loads(comparison: Comparison) -> str:
    """Share of the processors that each side did not have; of many sides the whole span."""
    sides = comparison.sides
    if len(sides) > FEWEST_SIDES:
        return _span([run.circumstances.busy for run in comparison.runs])
    return " and ".join(_span([run.busy for run in side.circumstances]) for side in sides)


def _span(shares: Sequence[float | None]) -> str:
    """``41.0 %``, or ``45.0 % to 77.4 %`` where runs differ."""
    known = [share for share in shares if share is not None]
    if not known:
        return "an unknown part"
    low, high = min(known), max(known)
    return percent(high) if high - low < MORE_LOAD / 10 else f"{percent(low)} to {percent(high)}"


def key(comparison: Comparison) -> str:
    """``1: nvidia-h100; 2: nvidia-h200; 3: amd-epyc``: what numbers of sides stand for.

    Empty of two sides, which tables call by their names.
    """
    if len(comparison.sides) == FEWEST_SIDES:
        return ""
    names = [f"{number}: {side.name}" for number, side in enumerate(comparison.sides, 1)]
    return "; ".join(names)


def gate_sentence(comparison: Comparison) -> str:
    """``Gate 3 %: passed, nothing is slower than that beyond doubt.``; empty without a gate."""
    if comparison.gate is None:
        return ""
    head = f"Gate {percent(comparison.gate)}:"
    if comparison.code == FAILED:
        names = [row.row.name for row in comparison.beyond_gate()]
        return f"{head} failed, slower beyond doubt: {few(names, MOST_NAMES)}."
    if comparison.code == PASSED:
        return f"{head} passed, nothing is slower than that beyond doubt."
    return (
        f"{head} cannot tell: nothing is slower than that beyond doubt, but "
        f"{comparison.untold} of {comparison.shared} rows cannot be told."
    )


def ratio_in_words(verdict: Verdict) -> str:
    """``7.0 % slower`` of a verdict; a dash where there is no ratio."""
    return "–" if verdict.ratio is None else change_in_words(verdict.ratio)
