"""The noun Lesson: a claim of the textbook, the rows that it needs, and the rule that judges it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import analysis.lessons
from analysis.lessons.frame.evidence import Evidence, Untold, Untried
from analysis.lessons.frame.trial import FAILS, HOLDS, UNDECIDED, UNTRIED, Finding, Trial
from kernels.device import Device
from probes.records.measurement import Measurement, RidgelineError
from probes.records.need import Need

PYTHON = "python3"
OVERLAP = "the intervals of what is compared overlap; run it again on a quieter machine"
VERDICT_OF = {True: HOLDS, False: FAILS, None: UNDECIDED}

Judge = Callable[[Evidence], Finding]
"""Judges a claim from rows alone.

Raises Untried or Untold, each with the reason and the way out, where they do not suffice.
"""


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """A claim that can be tried: a module of ``analysis/lessons/`` defines one as ``LESSON``."""

    name: str
    """As the command has it, in at most 18 letters."""
    title: str
    """The claim in at most 46 letters, a line of a terminal."""
    claim: str
    """The claim as the textbook has it."""
    source: str
    """Which textbook says so."""
    rule: str
    """When it holds and when it fails, in words."""
    needs: Sequence[Need]
    """The rows that it needs. What other lessons need, too, is measured once."""
    judge: Judge
    """The rule."""

    def trial(self, evidence: Evidence) -> Trial:
        """What the rows of a run say of it."""
        verdict, reason = UNTRIED, ""
        finding = Finding(None, "")
        try:
            finding = self.judge(evidence)
            verdict = VERDICT_OF[finding.said]
            reason = OVERLAP if finding.said is None else ""
        except Untried as why:
            reason = str(why)
        except Untold as why:
            verdict, reason = UNDECIDED, str(why)
        return Trial(
            name=self.name,
            title=self.title,
            claim=self.claim,
            source=self.source,
            rule=self.rule,
            verdict=verdict,
            evidence=finding.evidence,
            reason=reason,
            chart=finding.chart,
            command=command([self.name], evidence.device),
            rows=self.rows(evidence.measurements),
        )

    def rows(self, measurements: Sequence[Measurement]) -> list[Measurement]:
        """Its rows of a run, each once; those of the last needs, its own, come first."""
        wanted = []
        for need in reversed(self.needs):
            wanted += [row for row in need.rows(measurements) if row not in wanted]
        return wanted


def command(names: Iterable[str], device: Device) -> str:
    """The command that tries these lessons again."""
    where = "cpu" if device.kind == "cpu" else str(device.index)
    return f"{PYTHON} run_all.py --device {where} --lessons {' '.join(names)}".rstrip()


def all_lessons() -> dict[str, Lesson]:
    """Every lesson by name, found by folder, in the order of their modules' names."""
    lessons = {}
    for module in pkgutil.iter_modules(analysis.lessons.__path__):
        if not module.ispkg:
            lesson = importlib.import_module(f"analysis.lessons.{module.name}").LESSON
            lessons[lesson.name] = lesson
    return lessons


def choose(names: Sequence[str]) -> list[Lesson]:
    """The lessons of these names, or all where none is named.

    Raises RidgelineError for a name that no lesson has.
    """
    by_name = all_lessons()
    for name in names:
        if name not in by_name:
            raise RidgelineError(f"no lesson is called {name!r}; there are: {', '.join(by_name)}")
    return [by_name[name] for name in names] if names else list(by_name.values())


def trials(names: Iterable[str], evidence: Evidence) -> list[Trial]:
    """What a run says of these lessons; a name that no lesson has any more is left out."""
    by_name = all_lessons()
    return [by_name[name].trial(evidence) for name in names if name in by_name]
