"""What the device draws under each load, and the energy of a repetition.

A sample lasts milliseconds and a sensor of power looks back for longer, so the power of a row is
read afterwards: its kernel alone goes on until no reading can hold anything else, and only then the
sensor counts. Rate and clock may be lower then than in the samples; so the energy of a repetition
is that of the same time, never the power over another time's rate.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from statistics import median

from kernels.device import Device
from probes.harness.clocks.sampling import Clock
from probes.harness.devices.power import Found, Sensor
from probes.harness.task import Task
from probes.records.measurement import OK, Measurement
from probes.records.tag import BANDWIDTH, COMPUTE, LAYER, MAIN_MEMORY, RECIPE, Tag

BUDGET_SECONDS = 7.0
"""How long the loads of a run may go on together: an H100 takes 40 s with them."""
QUICK_BUDGET_SECONDS = 3.0
"""The same of a quick run."""
SAMPLE_SECONDS = 0.05
"""How long the load goes on between two looks at the clock: gaps are nothing beside it."""
BUILD_SECONDS = 0.1
"""What building a load's arrays takes beside."""
WHOLE_NETWORK = "network"
"""Subject of the tag of a network that ran in one go."""


@dataclass(frozen=True)
class Energy:
    """What one load drew."""

    watts: float | None = None
    """Mean power; None if unknown."""
    joules: float | None = None
    """Of one repetition; None if unknown."""
    why_unknown: str = ""
    """Why, in words."""

    def of(self, row: Measurement) -> Measurement:
        """The row with it."""
        return replace(row, power_w=self.watts, joules=self.joules)


@dataclass(frozen=True)
class Telling:
    """What a sensor is, for who plans the loads and for the run's file."""

    source: str = ""
    """What it measures, and who says so; empty if there is no sensor."""
    why_unknown: str = ""
    """Why there is none, in words."""
    load_seconds: float = 0.0
    """How long one load takes."""

    def as_json(self) -> dict[str, object]:
        """What ``run.json`` holds of it."""
        if not self.source:
            return {"why_unknown": self.why_unknown}
        return {"source": self.source}


def telling(found: Found) -> Telling:
    """What a device's sensor is."""
    sensor = found.sensor
    if sensor is None:
        return Telling(why_unknown=found.why_not)
    load_seconds = sensor.settle_seconds + sensor.window_seconds + BUILD_SECONDS
    return Telling(source=sensor.source, load_seconds=load_seconds)


def idle(sensor: Sensor, sleep: Callable[[float], None] = time.sleep) -> float | None:
    """Power in W with no load, once what ran before is forgotten; None if unknown."""
    sleep(sensor.settle_seconds)
    sensor.start()
    sleep(sensor.window_seconds)
    return sensor.stop().watts


def load(
    task: Task,
    device: Device,
    clock: Clock,
    sensor: Sensor,
    now: Callable[[], float] = time.perf_counter,
) -> Energy:
    """Run the task's kernel alone, and read what the device draws meanwhile."""
    case, row = task.case, task.row
    launch = case.kernel.backends[case.backend](device, case.dtype, case.params, clock.queue)
    repeat = max(1, math.ceil(SAMPLE_SECONDS / (row.seconds_median or SAMPLE_SECONDS)))
    seconds_of_one = []
    try:
        begin = now()
        while now() - begin < sensor.settle_seconds:
            clock.sample(launch, repeat)
        sensor.start()
        begin = now()
        try:
            while now() - begin < sensor.window_seconds:
                seconds_of_one.append(clock.sample(launch, repeat).seconds)
        finally:
            draw = sensor.stop()
    finally:
        launch.close()
    if draw.watts is None:
        return Energy(why_unknown=draw.why_unknown)
    return Energy(draw.watts, draw.watts * median(seconds_of_one))


def budget(quick: bool) -> float:
    """How long the loads of a run may go on together, in seconds."""
    return QUICK_BUDGET_SECONDS if quick else BUDGET_SECONDS


def loads(todo: Iterable[Task], seconds: float, load_seconds: float) -> list[Task]:
    """The tasks whose power is worth most, as many as there is time for.

    Main memory and whole networks come first, then the best path of each number format, then the
    other ceilings of memory and arithmetic, each by its best row.
    """
    best = _best_by_tag(todo)
    main: list[Task] = []
    others: list[Task] = []
    subjects: set[tuple[str, str]] = set()
    for task in sorted(best, key=_reached, reverse=True):
        tag = task.row.tag
        assert isinstance(tag, Tag)
        subject = tag.quantity, tag.subject
        is_first = subject not in subjects and not tag.variants and not tag.is_sparse
        if _is_network(task.row):
            main.append(task)
        elif is_first:
            subjects.add(subject)
            main.append(task)
        else:
            others.append(task)
    main.sort(key=_rank)
    return [*main, *others][: int(seconds / load_seconds)]


def _best_by_tag(todo: Iterable[Task]) -> list[Task]:
    """For each tag whose rows count work the task whose row makes its ceiling.

    Of networks it is every one: rows of different precisions share a tag.
    """
    best: dict[str, Task] = {}
    networks = []
    for task in todo:
        row = task.row
        is_point = not isinstance(row.tag, Tag)
        # one that counts the host's work, too, would here go on without it
        if row.status != OK or not row.trusted or is_point or task.case.during:
            continue
        if _is_network(row):
            networks.append(task)
        elif row.quantity in (BANDWIDTH, COMPUTE) and row.rate:
            known = best.get(row.ceiling)
            if known is None or _reached(task) > _reached(known):
                best[row.ceiling] = task
    return [*networks, *best.values()]


def _is_network(row: Measurement) -> bool:
    """True if a row is of a whole network."""
    tag = row.tag
    is_plain = isinstance(tag, Tag) and tag.quantity == LAYER and tag.subject == WHOLE_NETWORK
    return is_plain or row.quantity == RECIPE


def _reached(task: Task) -> float:
    """Work a second at the bad end of a row's interval, by which ceilings choose their best row."""
    row = task.row
    return (row.work or 0.0) / (row.seconds_high or row.seconds_median or math.inf)


def _rank(task: Task) -> int:
    """A key that sorts main memory before whole networks, and these before number formats."""
    tag = task.row.tag
    if isinstance(tag, Tag) and tag.subject == MAIN_MEMORY:
        return 0
    return 1 if _is_network(task.row) else 2
