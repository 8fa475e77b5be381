"""Burst and sustained: what becomes of a ceiling that is asked for longer than power allows.

The fastest dense path of a run goes on for as long as the user says; rate, clock, power and
temperature are kept over time, where the device tells them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import fmean, median

from kernels.device import Device
from probes.harness.clocks.sampling import Clock, Sample
from probes.harness.devices.power import AVERAGE_SECONDS
from probes.harness.task import Task
from probes.records.measurement import FAILED, SCHEMA_VERSION, Measurement, Moment
from probes.records.tag import COMPUTE, LIBRARY, Tag

MOMENT_SECONDS = 0.1
"""How long one point of the curve lasts."""


def fastest(tasks: Sequence[Task]) -> Task | None:
    """The task with the highest rate on a main, dense compute path of our own."""
    on_main_paths = [task for task in tasks if task.row.rate and _is_main(task.row)]
    return max(on_main_paths, key=lambda task: task.row.rate or 0.0, default=None)


def _is_main(row: Measurement) -> bool:
    """True if this row is a roof of compute that our own dense kernels made."""
    tag = row.tag
    if not isinstance(tag, Tag) or tag.quantity != COMPUTE:
        return False
    return tag.draws_roof and not tag.is_sparse and tag.path != LIBRARY


def sustain(
    task: Task,
    device: Device,
    clock: Clock,
    seconds: float,
    watch: Callable[[], dict[str, float]],
    now: Callable[[], float] = time.perf_counter,
) -> list[Moment]:
    """Run the task's kernel for ``seconds``; returns the curve, a point every MOMENT_SECONDS.

    watch(): what the device tells of itself, in fields of Moment.
    """
    case, row = task.case, task.row
    launch = case.kernel.backends[case.backend](device, case.dtype, case.params, clock.queue)
    seconds_of_one = row.seconds_median or MOMENT_SECONDS
    repeat = max(1, math.ceil(MOMENT_SECONDS / seconds_of_one))
    moments: list[Moment] = []
    begin = now()
    try:
        while not moments or now() - begin < seconds:
            sample = clock.sample(launch, repeat)
            moments.append(_moment(row, sample, now() - begin, watch()))
    finally:
        launch.close()
    return moments


def tag(row: Measurement) -> str:
    """Tag of what becomes of this row's path under load."""
    return str(Tag.parse(row.ceiling).with_variant("sustained"))


def _moment(row: Measurement, sample: Sample, seconds: float, state: dict[str, float]) -> Moment:
    """One point of the curve, so many seconds after its start, beside the state of the device."""
    rate = (row.flops or 0.0) / sample.seconds
    clock = sample.clock_hz or state.get("sm_clock_hz")
    return Moment(
        schema_version=SCHEMA_VERSION,
        device=row.device,
        started=row.started,
        tag=tag(row),
        seconds=seconds,
        rate=rate,
        clock_hz=clock,
        power_w=state.get("power_w"),
        temperature_c=state.get("temperature_c"),
    )


def measurement(task: Task, moments: Sequence[Moment]) -> Measurement:
    """The steady end of the curve, its last third, as a row of its own."""
    end = moments[-max(1, len(moments) // 3) :]
    clocks = [moment.clock_hz for moment in end if moment.clock_hz]
    watts = _mean_power(end)
    seconds = [(task.row.flops or 0.0) / moment.rate for moment in end]
    note = f"the last {len(end)} of {len(moments)} moments of {moments[-1].seconds:.0f} s"
    return replace(
        task.row,
        ceiling=moments[0].tag,
        reason=note,
        seconds_median=median(seconds),
        seconds_best=min(seconds),
        seconds_low=None,
        seconds_high=None,
        samples=len(end),
        dropped=0,
        clock_hz=median(clocks) if clocks else None,
        power_w=watts,
        joules=watts * median(seconds) if watts else None,
    )


def _mean_power(end: Sequence[Moment]) -> float | None:
    """Mean power of the end of a curve; None if unknown, or if some may be that of before it."""
    powers = [moment.power_w for moment in end if moment.power_w]
    if len(powers) < len(end) or end[0].seconds < AVERAGE_SECONDS:
        return None
    return fmean(powers)


def failed(task: Task, reason: str) -> Measurement:
    """The row of a load that ended in an error."""
    return replace(
        task.row,
        ceiling=tag(task.row),
        status=FAILED,
        reason=reason,
        seconds_median=None,
        seconds_best=None,
        seconds_low=None,
        seconds_high=None,
        samples=0,
        dropped=0,
        clock_hz=None,
        power_w=None,
        joules=None,
    )
