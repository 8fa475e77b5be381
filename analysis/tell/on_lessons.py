"""What is said of lessons: how many hold, and a line for each."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.lessons.frame.trial import FAILS, HOLDS, UNDECIDED, UNTRIED, VERDICTS, Trial

WORDS = {HOLDS: "holds", FAILS: "fails", UNDECIDED: "untold", UNTRIED: "untried"}
"""Each verdict in a word, for a line of a terminal."""
LONGEST_WORD = max(map(len, WORDS.values()))


def answer(trials: Sequence[Trial]) -> str:
    """``12 of 20 claims of the textbook hold here, 5 do not, 3 cannot be tried.``"""
    counts = dict.fromkeys(VERDICTS, 0)
    for trial in trials:
        counts[trial.verdict] += 1
    claims = "claim" if len(trials) == 1 else "claims"
    holding = "holds" if counts[HOLDS] == 1 else "hold"
    parts = [f"{counts[HOLDS]} of {len(trials)} {claims} of the textbook {holding} here"]
    failing = "does" if counts[FAILS] == 1 else "do"
    parts.append(f"{counts[FAILS]} {failing} not")
    if counts[UNDECIDED]:
        parts.append(f"{counts[UNDECIDED]} cannot be told")
    parts.append(f"{counts[UNTRIED]} cannot be tried")
    return f"{', '.join(parts)}."


def lines(trials: Sequence[Trial]) -> list[str]:
    """A line for each, in at most 80 columns; those that hold come last."""
    longest = max((len(trial.name) for trial in trials), default=0)
    texts = []
    for trial in in_order(trials):
        word = WORDS[trial.verdict]
        texts.append(f"  {word:{LONGEST_WORD}}  {trial.name:{longest}}  {trial.title}")
    return texts


def in_order(trials: Sequence[Trial]) -> list[Trial]:
    """Claims that fail first, then those that hold, then those that were not judged."""
    order = [FAILS, HOLDS, UNDECIDED, UNTRIED]
    return sorted(trials, key=lambda trial: order.index(trial.verdict))
