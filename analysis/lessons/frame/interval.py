"""Numbers that are known within an interval, and what can be said of them: yes, no, or nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from probes.records.measurement import Measurement

DRIFT = {"cpu": 0.10, "cuda": 0.04}
"""How far two timings of one run may differ by the moment alone, as a share, by kind of device.

Samples of one turn do not show it. On a CPU it is the standard drift of memory, the widest that
``analysis/compare/ranges.toml`` records; on a GPU the widest range of its levels of cache there.
"""

Said = bool | None
"""True, False, or None: it cannot be told, since an interval holds the border."""


@dataclass(frozen=True)
class Interval:
    """A number that lies between ``low`` and ``high``, most likely at ``value``."""

    low: float
    """Its lower end."""
    value: float
    """What was measured."""
    high: float
    """Its upper end."""

    def over(self, other: Interval) -> Interval:
        """This over another, both above zero."""
        return Interval(self.low / other.high, self.value / other.value, self.high / other.low)

    def plus(self, other: Interval) -> Interval:
        """The sum."""
        return Interval(self.low + other.low, self.value + other.value, self.high + other.high)

    def minus(self, other: Interval) -> Interval:
        """The difference."""
        return Interval(self.low - other.high, self.value - other.value, self.high - other.low)

    def times(self, factor: float) -> Interval:
        """A multiple; the factor is exact and above zero."""
        return Interval(self.low * factor, self.value * factor, self.high * factor)

    def under(self, numerator: float) -> Interval:
        """An exact number over this: a rate, of a time."""
        return Interval(numerator / self.high, numerator / self.value, numerator / self.low)

    def above(self, border: float) -> Said:
        """Whether it is above a border."""
        if self.low > border:
            return True
        return False if self.high <= border else None

    def below(self, border: float) -> Said:
        """Whether it is below a border."""
        if self.high < border:
            return True
        return False if self.low >= border else None


def exactly(value: float) -> Interval:
    """A number that is known, such as a count."""
    return Interval(value, value, value)


def seconds_of(row: Measurement, kind: str) -> Interval:
    """The time of a row that is ok, with its own interval and the drift of the kind of device."""
    drift = DRIFT[kind] / 2  # of two that are held against each other, each takes its half
    median = row.seconds_median or 0.0
    low = row.seconds_low or median
    high = row.seconds_high or median
    return Interval(low / (1 + drift), median, high * (1 + drift))


def all_of(said: Iterable[Said]) -> Said:
    """True if all are, False if one is not, else None."""
    answers = list(said)
    if False in answers:
        return False
    return None if None in answers else True


def any_of(said: Iterable[Said]) -> Said:
    """True if one is, False if none is, else None."""
    answers = list(said)
    if True in answers:
        return True
    return None if None in answers else False


def negated(said: Said) -> Said:
    """The contrary; of None, None."""
    return None if said is None else not said
