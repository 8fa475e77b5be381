"""Why two runs differ in a row: what of it is the clock, what is left, and what else differed.

The second run is spoken of: it is slower or faster than the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite, log

from analysis.compare.facts import HEAT_REASONS, POWER_REASONS, Circumstances, Reading
from analysis.naming import few
from analysis.units import percent, short, si, watts
from probes.records.tag import (
    BANDWIDTH,
    LATENCY,
    MAIN_MEMORY,
    OVERHEAD,
    TRANSFER,
    WITH_CPU,
    Tag,
)

CLOCK, THEORY, SHARE = "clock", "theory", "share"
MEMORY_CLOCK, ECC, MODE = "memory clock", "ecc", "power mode"
POWER, HEAT, CLOCK_LIMIT = "power", "heat", "clock limit"
LOAD, OTHER_PROCESSES = "load", "other processes"
DRIVER, TOOLKIT = "driver", "toolkit"
"""Names of causes."""
HOLDS_CLOCK_DOWN = (POWER, HEAT, CLOCK_LIMIT, MODE)
"""Causes of a lower clock."""

SAME = 0.01
"""A part of a difference that is smaller (as a share) is none."""
NEAR_LIMIT = 0.97
"""A device that draws this part of the power that it may draw is held down by it."""
MORE_LOAD = 0.10
"""Share of the processors by which loads differ that matter."""
MOST_NAMES = 3
"""Versions in a sentence."""
FED_BY_HOST = frozenset((OVERHEAD, TRANSFER))
"""Quantities of a GPU that depend on what else runs on the host."""
OTHER_TOOLS = frozenset(("system",))
"""Names among versions of what is no toolkit."""


@dataclass(frozen=True)
class Cause:
    """One thing in which two runs differ, and which may make a row differ."""

    name: str
    """What it is, such as ``clock`` or ``driver``."""
    before: str
    """How it was in the first run, as people read it."""
    after: str
    """How it was in the second."""
    part: float | None = None
    """What it makes of the difference: the natural logarithm of a ratio of speeds. None where it
    cannot be told from the rest.
    """
    sentence: str = ""
    """The same in words."""


@dataclass(frozen=True)
class Difference:
    """How much a row differs between two runs, and why."""

    ratio: float
    """Speed of the second run over that of the first: above 1 it is faster."""
    clock_ratio: float | None
    """Observed clock of the second over that of the first; None where it was not observed."""
    theory_ratio: float | None
    """What theory allows in one cycle, likewise; None where it is unknown."""
    causes: tuple[Cause, ...]
    """What explains it, what explains most first; then what differed with an unknown effect."""

    @property
    def at_equal_clock(self) -> float | None:
        """Ratio of speeds that is left at the same clock; None where no clock was observed."""
        return self.ratio / self.clock_ratio if self.clock_ratio else None

    @property
    def rest(self) -> float:
        """Ratio of speeds that neither the clock nor theory explains."""
        return self.ratio / (self.clock_ratio or 1.0) / (self.theory_ratio or 1.0)

    @property
    def cause(self) -> str:
        """Name of what explains most; empty where nothing is known that does.

        Of a lower clock it is what held the clock down, where that is known.
        """
        names = [cause.name for cause in self.causes]
        if names[:1] == [CLOCK]:
            names = [name for name in names if name in HOLDS_CLOCK_DOWN] or names
        return names[0] if names else ""

    @property
    def differs(self) -> bool:
        """True if there is a difference worth a word."""
        return _differs(self.ratio)

    @property
    def clock_explains(self) -> bool:
        """True if there is a difference, and none is left at the same clock."""
        at_equal_clock = self.at_equal_clock
        return self.differs and at_equal_clock is not None and not _differs(at_equal_clock)

    @property
    def because(self) -> str:
        """``the clock was 8.1 % lower (power cap); at equal clock the same``; empty if unknown."""
        parts = [cause.sentence for cause in self.causes if cause.sentence]
        if self.at_equal_clock is None or self.clock_ratio is None or not self.differs:
            return "; ".join(parts)
        if not _differs(self.clock_ratio):
            if not parts:
                parts = ["it is not the clock, which was the same; nothing else is known to differ"]
        elif not _is_theory(self):
            parts.append(f"at equal clock {change_in_words(self.at_equal_clock)}")
        return "; ".join(parts)

    @property
    def sentence(self) -> str:
        """``7.0 % slower: the clock was 8.1 % lower (power cap); at equal clock the same``."""
        head = change_in_words(self.ratio)
        return f"{head}: {self.because}" if self.because else head


def _is_theory(difference: Difference) -> bool:
    """True if the devices themselves differ in what they can do in a cycle."""
    return difference.theory_ratio is not None and _differs(difference.theory_ratio)


def change_in_words(ratio: float) -> str:
    """``7.0 % slower``, ``the same`` of a ratio of speeds; ``2.4 times as fast`` of a large one."""
    if not _differs(ratio):
        return "the same"
    if ratio >= 2:
        return f"{short(ratio)} times as fast"
    if ratio <= 1 / 2:
        return f"1/{short(1 / ratio)} of the speed"
    return f"{percent(ratio - 1)} faster" if ratio > 1 else f"{percent(1 - ratio)} slower"


def _differs(ratio: float) -> bool:
    return abs(log(ratio)) >= SAME


def why(
    tag: str, before: Reading, after: Reading, first: Circumstances, second: Circumstances
) -> Difference:
    """Why the row ``tag`` differs between two runs, or between a typical run and one.

    before, after: what the first and the second run say of the row. Causes are named only where
    the row differs by more than ``SAME``.
    """
    ratio = after.speed / before.speed
    clock_ratio = _ratio(before.clock_hz, after.clock_hz)
    theory_ratio = None
    if clock_ratio and before.peak and after.peak:
        theory_ratio = after.peak / before.peak / clock_ratio
    causes: tuple[Cause, ...] = ()
    if _differs(ratio):
        pair = _Pair(tag, before, after, first, second, ratio, clock_ratio, theory_ratio)
        causes = tuple(_most_first(list(pair.causes())))
    return Difference(ratio, clock_ratio, theory_ratio, causes)


def _ratio(before: float | None, after: float | None) -> float | None:
    """The second over the first; None where one is unknown or no positive number."""
    if not before or not after or before <= 0 or after <= 0:
        return None
    ratio = after / before
    return ratio if isfinite(ratio) else None


def _most_first(causes: Sequence[Cause]) -> list[Cause]:
    """Causes with a part first, the largest before the others."""
    return sorted(causes, key=lambda cause: -abs(cause.part) if cause.part is not None else 1.0)


@dataclass(frozen=True)
class _Pair:
    """Two readings of one row with the circumstances of their runs."""

    tag: str
    before: Reading
    after: Reading
    first: Circumstances
    second: Circumstances
    ratio: float
    clock_ratio: float | None
    theory_ratio: float | None

    @property
    def is_slower(self) -> bool:
        """True if the second run is slower."""
        return self.ratio < 1

    @property
    def slow(self) -> Circumstances:
        """Circumstances of the slower run."""
        return self.second if self.is_slower else self.first

    @property
    def fast(self) -> Circumstances:
        """Circumstances of the faster run."""
        return self.first if self.is_slower else self.second

    @property
    def slow_reading(self) -> Reading:
        """What the slower run says."""
        return self.after if self.is_slower else self.before

    @property
    def slower_run(self) -> str:
        """How a sentence calls the slower run; empty of the second, of which all sentences are."""
        return "" if self.is_slower else " in the first run"

    @property
    def is_memory(self) -> bool:
        """True if the row speaks of main memory."""
        try:
            tag = Tag.parse(self.tag)
        except ValueError:  # a layer has a name that is no tag
            return False
        return tag.quantity in (BANDWIDTH, LATENCY) and tag.subject == MAIN_MEMORY

    @property
    def is_fed_by_host(self) -> bool:
        """True if processors of the host take part, so that what else they do matters."""
        if "cpu" in (self.first.kind, self.second.kind):
            return True
        quantity, _, rest = self.tag.partition("/")
        return quantity in FED_BY_HOST or rest.endswith(WITH_CPU)

    def causes(self) -> Iterator[Cause]:
        """All that may explain the difference."""
        yield from self._theory()
        yield from self._clock()
        if self.is_memory:
            yield from self._memory()
        yield from self._load()
        yield from self._share()
        yield from self._versions()

    def _theory(self) -> Iterator[Cause]:
        """What the devices can do in one cycle."""
        if not self.theory_ratio or not _differs(self.theory_ratio):
            return
        names = [
            f"{run.device}, {run.units} {'cores' if run.kind == 'cpu' else 'SMs'}"
            for run in (self.first, self.second)
        ]
        times = f"{short(self.theory_ratio)} times"
        if self.theory_ratio < 1:
            times = f"1/{short(1 / self.theory_ratio)} of"
        sentence = f"in a cycle {names[1]} can do {times} what {names[0]} can"
        yield Cause(THEORY, names[0], names[1], log(self.theory_ratio), sentence)

    def _clock(self) -> Iterator[Cause]:
        """The observed clock, with what held it down."""
        if self.clock_ratio is None or not _differs(self.clock_ratio):
            yield from self._limits_of_clock(unobserved=self.clock_ratio is None)
            return
        clock_explains = (self.clock_ratio < 1) == self.is_slower
        reasons = list(self._limits_of_clock()) if clock_explains else []
        because = f" ({reasons[0].sentence})" if reasons else ""
        change = abs(1 - self.clock_ratio)
        direction = "lower" if self.clock_ratio < 1 else "higher"
        sentence = f"the clock was {percent(change)} {direction}{because}"
        yield Cause(
            CLOCK,
            si(self.before.clock_hz, "Hz"),
            si(self.after.clock_hz, "Hz"),
            log(self.clock_ratio),
            sentence,
        )
        for reason in reasons:  # their words stand in the brackets
            yield Cause(reason.name, reason.before, reason.after)

    def _limits_of_clock(self, unobserved: bool = False) -> Iterator[Cause]:
        """What held the clock of the slower run down.

        unobserved: only what speaks for itself, where no clock was observed.
        """
        slow, fast, where = self.slow, self.fast, self.slower_run
        states = self._in_order(_reasons(fast), _reasons(slow))
        if slow.mode and fast.mode and slow.mode != fast.mode:
            modes = self._in_order(fast.mode, slow.mode)
            yield Cause(MODE, *modes, sentence=f"power mode {modes[0]}, then {modes[1]}")
        reasons_of_slow = slow.held_down - fast.held_down
        if reasons_of_slow & POWER_REASONS:
            reasons = ", ".join(sorted(reasons_of_slow & POWER_REASONS))
            yield Cause(POWER, *states, sentence=f"{reasons}{where}")
        elif _limit_is_lower(slow, fast):
            limits = self._in_order(watts(fast.power_limit_w), watts(slow.power_limit_w))
            yield Cause(
                POWER, *limits, sentence=f"its power limit was {limits[0]}, then {limits[1]}"
            )
        elif not unobserved and self._draws_all_it_may():
            drawn = watts(self.slow_reading.power_w)
            limit = watts(slow.power_limit_w)
            yield Cause(POWER, "", "", sentence=f"power cap: it drew {drawn} of {limit}{where}")
        if reasons_of_slow & HEAT_REASONS:
            reasons = ", ".join(sorted(reasons_of_slow & HEAT_REASONS))
            degrees = "" if slow.temperature_c is None else f" at {slow.temperature_c:.0f} °C"
            yield Cause(HEAT, *states, sentence=f"{reasons}{degrees}{where}")
        other_reasons = reasons_of_slow - POWER_REASONS - HEAT_REASONS | (
            slow.clock_limits - fast.clock_limits
        )
        if other_reasons:
            reasons = ", ".join(sorted(other_reasons))
            yield Cause(CLOCK_LIMIT, *states, sentence=f"{reasons}{where}")

    def _draws_all_it_may(self) -> bool:
        """True if the slower run drew as much power as its limit lets it."""
        drawn, limit = self.slow_reading.power_w, self.slow.power_limit_w
        return bool(drawn and limit and drawn >= NEAR_LIMIT * limit)

    def _memory(self) -> Iterator[Cause]:
        """Clock of the memory, and correction of its errors."""
        memory_ratio = _ratio(self.first.memory_clock_hz, self.second.memory_clock_hz)
        if memory_ratio and _differs(memory_ratio):
            clocks = si(self.first.memory_clock_hz, "Hz"), si(self.second.memory_clock_hz, "Hz")
            direction = "lower" if memory_ratio < 1 else "higher"
            change = percent(abs(1 - memory_ratio))
            sentence = f"the memory's clock was {change} {direction}, {clocks[1]} for {clocks[0]}"
            yield Cause(MEMORY_CLOCK, *clocks, log(memory_ratio), sentence)
        if self.slow.ecc and self.fast.ecc is False:
            states = self._in_order("off", "on")
            yield Cause(ECC, *states, sentence=f"ECC is {states[1]}, and was {states[0]}")

    def _load(self) -> Iterator[Cause]:
        """What else ran."""
        slow, fast, where = self.slow, self.fast, self.slower_run
        if (slow.other_processes or 0) > (fast.other_processes or 0):
            counts = self._in_order(str(fast.other_processes or 0), str(slow.other_processes))
            sentence = f"{slow.other_processes} other processes used the GPU{where}"
            yield Cause(OTHER_PROCESSES, *counts, sentence=sentence)
        if self.is_fed_by_host and has_more_load(slow, fast):
            shares = self._in_order(percent(fast.busy), percent(slow.busy))
            sentence = f"others had {percent(slow.busy)} of the processors' time{where}"
            if fast.busy is not None:
                sentence += f", {percent(fast.busy)} otherwise"
            yield Cause(LOAD, *shares, sentence=sentence)

    def _share(self) -> Iterator[Cause]:
        """The share of theory that was reached."""
        shares = self.before.share, self.after.share
        rest = self.ratio / (self.clock_ratio or 1.0) / (self.theory_ratio or 1.0)
        if shares[0] is None or shares[1] is None or not _differs(rest):
            return
        before, after = percent(shares[0]), percent(shares[1])
        sentence = f"of theory at its clock it reached {after}, where that was {before}"
        yield Cause(SHARE, before, after, log(rest), sentence)

    def _versions(self) -> Iterator[Cause]:
        """Versions of the driver and of toolkits, of which the effect is not known.

        Of different devices they explain nothing beside the devices themselves.
        """
        if self.first.arch != self.second.arch or self.first.kind != self.second.kind:
            return
        drivers = self.first.driver, self.second.driver
        if drivers[0] and drivers[1] and drivers[0] != drivers[1]:
            sentence = f"another driver ({drivers[0]}, then {drivers[1]})"
            yield Cause(DRIVER, drivers[0], drivers[1], sentence=sentence)
        changed = []
        for name, version in self.second.versions.items():
            former = self.first.versions.get(name)
            if former and former != version and name not in OTHER_TOOLS:
                changed.append((name, former, version))
        if changed:
            before = ", ".join(f"{name} {former}" for name, former, _ in changed)
            after = ", ".join(f"{name} {version}" for name, _, version in changed)
            names = [f"{name} {former}, then {version}" for name, former, version in changed]
            sentence = f"other versions ({few(names, MOST_NAMES)})"
            yield Cause(TOOLKIT, before, after, sentence=sentence)

    def _in_order(self, of_fast: str, of_slow: str) -> tuple[str, str]:
        """What stands for the first run, then for the second."""
        return (of_fast, of_slow) if self.is_slower else (of_slow, of_fast)


def has_more_load(slow: Circumstances, fast: Circumstances) -> bool:
    """True if others had more of the processors in the first of these by far."""
    if slow.busy is None:
        return False
    return slow.busy - (fast.busy or 0.0) > MORE_LOAD


def _reasons(run: Circumstances) -> str:
    """What held its clock down, as one text."""
    return ", ".join(sorted(run.held_down | run.clock_limits)) or "nothing known"


def _limit_is_lower(slow: Circumstances, fast: Circumstances) -> bool:
    """True if the slower run had a lower power limit."""
    ratio = _ratio(fast.power_limit_w, slow.power_limit_w)
    return ratio is not None and ratio < 1 - SAME
