"""What a comparison reads of a run: what a row reached, and under which circumstances.

Both are plain values, so that one can be made from the files of a run, from a row of
``ceilings.csv``, or from the middle of many runs (a typical one).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from analysis.model.ceilings import Ceiling
from probes.records.measurement import OK
from probes.records.run import Run

SECONDS = "s"
"""Unit of values of which less is better."""
POWER_REASONS = frozenset(("software power cap", "hardware power brake"))
"""Names of clock event reasons of NVML that speak of power, as runs hold them."""
HEAT_REASONS = frozenset(("software thermal slowdown", "hardware thermal slowdown"))
"""Those that speak of heat."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What one run says of one row."""

    value: float
    """Work a second, or seconds of a time, in ``unit``."""
    unit: str
    """``B/s``, ``FLOP/s``, ``OP/s`` or ``s``."""
    clock_hz: float | None = None
    """Clock of the units while it was measured; None if it was not observed."""
    peak: float | None = None
    """Theory at that clock, in ``unit``."""
    power_w: float | None = None
    """Power while it ran."""
    trusted: bool = True
    """False if the value may be wrong."""
    doubt: str = ""
    """Why it may be."""

    @property
    def speed(self) -> float:
        """Of which more is better: the rate, or runs a second."""
        return 1 / self.value if self.unit == SECONDS else self.value

    @property
    def share(self) -> float | None:
        """Share of theory at the observed clock."""
        return self.value / self.peak if self.peak else None


def reading_of(ceiling: Ceiling) -> Reading | None:
    """What a ceiling says; None where nothing was measured."""
    if ceiling.status != OK or not ceiling.rate or ceiling.rate <= 0:
        return None
    return Reading(
        value=ceiling.rate,
        unit=ceiling.unit,
        clock_hz=ceiling.clock_hz,
        peak=ceiling.observed_peak,
        power_w=ceiling.power_w,
        trusted=ceiling.trusted,
        doubt=ceiling.doubt,
    )


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """What may make one run differ from another. None is unknown."""

    kind: str = ""
    """``cpu`` or ``cuda``."""
    device: str = ""
    """Name of the device."""
    arch: str = ""
    """Compute capability or CPU core."""
    units: int | None = None
    """Multiprocessors or cores."""
    virtual: bool = False
    """True of a CPU that a hypervisor lends."""
    board: bool = False
    """True of a GPU on a board with its CPU, such as a Jetson."""
    rated_clock_hz: float | None = None
    """Highest clock of the units."""
    memory_clock_hz: float | None = None
    """Clock of the memory: as it was at the start where that is known, else the rated one."""
    driver: str | None = None
    """Version of the driver."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Versions of libraries and toolkits, by name."""
    power_limit_w: float | None = None
    """Power that the device may draw."""
    temperature_c: float | None = None
    """At the start."""
    held_down: frozenset[str] = frozenset()
    """Reasons for which the clock was held down, as the device names them."""
    clock_limits: frozenset[str] = frozenset()
    """Limits that someone has set on the clock of a CPU, in words."""
    ecc: bool | None = None
    """True if the memory corrects errors."""
    mode: str | None = None
    """Power mode of a board."""
    others: float | None = None
    """Share of the processors that other processes kept busy."""
    steal: float | None = None
    """Share of the processors' time that a hypervisor gave to others, or a quota took."""
    other_processes: int | None = None
    """Other processes on the GPU."""

    @property
    def busy(self) -> float | None:
        """Share of the processors that this run did not have, whoever had it."""
        if self.others is None and self.steal is None:
            return None
        return (self.others or 0.0) + (self.steal or 0.0)


def circumstances_of(run: Run) -> Circumstances:
    """What the files of a run tell of its circumstances."""
    device = run.device
    facts = device.facts
    at_start = _mapping(facts.get("at_start"))
    during = _mapping(run.load.get("during"))
    held_down = {*_texts(at_start.get("throttle")), *_alerts(run.state)}
    return Circumstances(
        kind=device.kind,
        device=device.name,
        arch=device.arch,
        units=device.units,
        virtual="hypervisor" in device.features,
        board="jetson" in device.features or "integrated" in device.features,
        rated_clock_hz=_number(facts.get("max_sm_clock_hz")) or device.clock_hz,
        memory_clock_hz=_number(at_start.get("memory_clock_hz")) or device.memory_clock_hz,
        driver=_text(facts.get("driver")),
        versions={
            name: str(version) for name, version in run.versions.items() if version is not None
        },
        power_limit_w=_number(facts.get("power_limit_w")),
        temperature_c=_number(at_start.get("temperature_c")),
        held_down=frozenset(held_down),
        clock_limits=frozenset(_texts(run.load.get("clock_limits"))),
        ecc=_mark(facts.get("ecc")),
        mode=_text(facts.get("power_mode")),
        others=_share_of_cores(during),
        steal=_steal(during),
        other_processes=_count(facts.get("other_processes")),
    )


def _share_of_cores(during: Mapping[str, Any]) -> float | None:
    """Share of the processors that other processes kept busy; None if it was not watched."""
    used, cores = _number(during.get("others")), _number(during.get("cores"))
    return used / cores if used is not None and cores else None


def _steal(during: Mapping[str, Any]) -> float | None:
    """Share of the time that a hypervisor or a quota took; None if it was not watched."""
    parts = [_number(during.get("steal")), _number(during.get("stopped"))]
    known = [part for part in parts if part is not None]
    return sum(known) if known else None


def _alerts(state: Mapping[str, Any]) -> set[str]:
    """Alerts by which a board held its clocks down before or after the measurement."""
    names = set[str]()
    for moment in ("before", "after"):
        names.update(_texts(_mapping(state.get(moment)).get("throttling")))
    return names


def typical_reading(readings: Sequence[Reading]) -> Reading | None:
    """The middle of several readings of one row; None of none at all.

    Those that can be trusted speak, unless there are none.
    """
    if not readings:
        return None
    trusted = [reading for reading in readings if reading.trusted]
    speaking = trusted or list(readings)
    return Reading(
        value=median(reading.value for reading in speaking),
        unit=speaking[0].unit,
        clock_hz=_middle(reading.clock_hz for reading in speaking),
        peak=_middle(reading.peak for reading in speaking),
        power_w=_middle(reading.power_w for reading in speaking),
        trusted=bool(trusted),
        doubt=speaking[0].doubt,
    )


def typical_circumstances(runs: Sequence[Circumstances]) -> Circumstances:
    """What is usual among runs: of numbers the middle, of all else what most of them have.

    Raises ValueError of no runs.
    """
    if not runs:
        raise ValueError("of no runs nothing is typical")
    names = dict.fromkeys(name for run in runs for name in run.versions)
    versions = {name: _most_common(run.versions.get(name) for run in runs) for name in names}
    most_runs = len(runs) / 2
    reasons = Counter(reason for run in runs for reason in run.held_down)
    limits = Counter(limit for run in runs for limit in run.clock_limits)
    return Circumstances(
        kind=_most_common(run.kind for run in runs) or "",
        device=_most_common(run.device for run in runs) or "",
        arch=_most_common(run.arch for run in runs) or "",
        units=_most_common(run.units for run in runs),
        virtual=bool(_most_common(run.virtual for run in runs)),
        board=bool(_most_common(run.board for run in runs)),
        rated_clock_hz=_most_common(run.rated_clock_hz for run in runs),
        memory_clock_hz=_middle(run.memory_clock_hz for run in runs),
        driver=_most_common(run.driver for run in runs),
        versions={name: version for name, version in versions.items() if version is not None},
        power_limit_w=_most_common(run.power_limit_w for run in runs),
        temperature_c=_middle(run.temperature_c for run in runs),
        held_down=frozenset(reason for reason, runs_so in reasons.items() if runs_so > most_runs),
        clock_limits=frozenset(limit for limit, runs_so in limits.items() if runs_so > most_runs),
        ecc=_most_common(run.ecc for run in runs),
        mode=_most_common(run.mode for run in runs),
        others=_middle(run.others for run in runs),
        steal=_middle(run.steal for run in runs),
        other_processes=_most_common(run.other_processes for run in runs),
    )


def _middle(values: Iterable[float | None]) -> float | None:
    """The median of what is known."""
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _most_common(values: Iterable[Any]) -> Any:
    """The most common value of those that are known; None where none is."""
    counts = Counter(value for value in values if value is not None)
    return counts.most_common(1)[0][0] if counts else None


# What a file holds may be of any type: a fact of another type than ours is unknown.


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else None


def _count(value: Any) -> int | None:
    number = _number(value)
    return None if number is None else int(number)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _texts(value: Any) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _mark(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None
