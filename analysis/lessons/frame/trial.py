"""The noun Trial: what the rows of a run say of one claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.lessons.frame.charts import Chart
from analysis.lessons.frame.interval import Said
from probes.records.measurement import Measurement

HOLDS, FAILS = "holds here", "does not hold here"
UNDECIDED, UNTRIED = "cannot be told here", "cannot be tried here"
"""The verdicts. Undecided is one of its own, since its way out differs: what was measured does not
tell, so a quieter machine may; what could not be tried lacks a part, which may be installed."""
VERDICTS = (HOLDS, FAILS, UNDECIDED, UNTRIED)


@dataclass(frozen=True)
class Finding:
    """What the rule of a lesson makes of its evidence."""

    said: Said
    """Whether the claim holds; None cannot be told."""
    evidence: str
    """The measured numbers, in a sentence or two; of a claim that fails, also why."""
    chart: Chart | None = None
    """The picture."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A lesson with its verdict."""

    name: str
    """Of the lesson, as the command has it."""
    title: str
    """The claim, short enough for a line of a terminal."""
    claim: str
    """The claim as the textbook has it."""
    source: str
    """Which textbook."""
    verdict: str
    """One of ``VERDICTS``."""
    evidence: str = ""
    """The measured numbers in words, and why it is so."""
    reason: str = ""
    """Why it was not tried or cannot be told, and the way out."""
    rule: str = ""
    """When the claim holds, in words."""
    chart: Chart | None = None
    """The picture; None where nothing was measured."""
    command: str = ""
    """What repeats it."""
    rows: Sequence[Measurement] = ()
    """The rows that it was judged by, its own before those of roofs."""
