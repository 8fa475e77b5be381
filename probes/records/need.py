"""The noun Need: which rows a question wants, named alike before and after they are measured.

Standard library only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from probes.records.measurement import Measurement


@dataclass(frozen=True)
class Asked:
    """What is known of a row before it is measured."""

    probe: str
    """The probe that asks it."""
    tag: str
    """The tag that it speaks for, as files have it."""
    dtype: str
    """Type of its numbers."""
    sweep: str = ""
    """The family of layers that it is a point of; empty for all else."""
    series: str = ""
    """Which curve of that family it is on."""
    x: float | None = None
    """Its place on that curve, or on a sweep of another kind."""


@dataclass(frozen=True)
class Need:
    """Rows of one probe. What is left empty may be anything."""

    probe: str
    """Name of the probe: a file in ``probes/``."""
    tags: tuple[str, ...] = ("*",)
    """What they speak for, as files have it; ``*`` is any text."""
    sweep: str = ""
    """Of the probe ``layers``: the family."""
    series: tuple[str, ...] = ()
    """Of a family: its curves."""
    dtypes: tuple[str, ...] = ()
    """Types of numbers."""
    places: tuple[float, ...] = ()
    """Values of ``x``."""
    kinds: tuple[str, ...] = ("cpu", "cuda")
    """Kinds of device on which they are asked."""
    full: bool = False
    """True if those count, too, that a probe asks in a full run only."""

    def wants(self, row: Asked) -> bool:
        """True if a row is one of those needed."""
        return (
            row.probe == self.probe
            and any(fnmatchcase(row.tag, pattern) for pattern in self.tags)
            and row.sweep == self.sweep
            and (not self.series or row.series in self.series)
            and (not self.dtypes or row.dtype in self.dtypes)
            and (not self.places or row.x in self.places)
        )

    def rows(self, rows: Iterable[Measurement]) -> list[Measurement]:
        """Those of these rows that are needed, whatever became of them."""
        return [row for row in rows if self.wants(asked_of(row))]


def asked_of(row: Measurement) -> Asked:
    """What was known of a row before it was measured."""
    facts = row.facts
    return Asked(row.probe, row.ceiling, row.dtype, facts.sweep, facts.series, row.x)
