"""Ask the hardware: check each case's numbers and machine code, then time it in rounds. Rows come out.

A wrong answer, a crash of a kernel or a rate above the physical limit becomes a failed row; what cannot run here
becomes a skipped one. Nothing is timed before its numbers were checked.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from kernels.base import Audit, KernelError, Launch, Unavailable
from probes.harness.beside import beside
from probes.harness.case import Case, Probe
from probes.harness.devices import limits
from probes.harness.plan import chosen, is_point
from probes.harness.records import DISTURBED, FAILED, OK, SCHEMA_VERSION, SKIPPED, Device, Measurement
from probes.harness.statistics import FEWEST, rounds_interval
from probes.harness.timing import Clock, Rule, Sample, calibrate, measure, usual_cycles

Judge = Callable[[Measurement], str]
"""Says why a measurement cannot be true (``above the physical limit ...``), or nothing."""
Rules = Callable[[Case], Rule]
NOT_YET = "not measured: the run ended before its turn"
TRUSTED_SHARE = 0.15  # of the samples that must be undisturbed for the others to be left out
RESERVE = 64 << 20  # bytes that stay free whatever a case says it needs
MEMORY_SHARE = 0.8  # of the free memory a case may take: the rest keeps the machine alive


@dataclass
class Task:
    """One case on its way through the rounds."""

    probe: str
    case: Case
    row: Measurement
    audit: Audit = field(default_factory=Audit)
    repeat: int = 0
    rounds: list[list[Sample]] = field(default_factory=list)
    beside: dict[str, Any] = field(default_factory=dict)

    @property
    def rows(self) -> list[Measurement]:
        """Its row, and those of the same work elsewhere."""
        twins = [json.dumps({**each, **self.audit.facts}, sort_keys=True) for each in self.case.also]
        return [self.row, *(replace(self.row, params=params) for params in twins)]

    @property
    def open(self) -> bool:
        """Whether there is anything (more) to measure: neither failed nor unable to run here."""
        return self.row.status == OK or self.row.reason == NOT_YET


class Failure(Exception):
    """A case failed: the reason, in one line."""


def tasks(probes: Iterable[Probe], device: Device, started: str, full: bool = True, quick: bool = False) -> list[Task]:
    """What a run asks of these probes, as tasks; cases that cannot run here are skipped rows already."""
    asked = ((probe.name, case) for probe in probes for case in probe.cases(device))
    return [Task(name, case, _first_row(name, case, device, started)) for name, case in chosen(asked, full, quick)]


def _first_row(probe: str, case: Case, device: Device, started: str) -> Measurement:
    work = case.kernel.work(case.dtype, **case.params)
    reason = case.skip or _too_large(case, device)
    return Measurement(
        SCHEMA_VERSION, device.name, started, probe, case.kernel.name, case.backend, case.dtype, case.ceiling,
        json.dumps(dict(case.params), sort_keys=True), SKIPPED, reason or NOT_YET,
        _known(work.flops), _known(work.bytes),
    )  # fmt: skip


def _known(work: float) -> float | None:
    """Work that the table of a layer does not know is NaN: an empty cell."""
    return None if math.isnan(work) else work


def _too_large(case: Case, device: Device, free: float | None = None) -> str:
    need = sum(each.kernel.memory_bytes(each.dtype, each.params) for each in (case, *case.beside))
    free = device.memory_free_bytes if free is None else free
    if free is None or math.isnan(need) or need <= MEMORY_SHARE * free:
        return ""
    kept = f", {1 - MEMORY_SHARE:.0%} of which stay so" if need <= free else ""
    return f"needs {need / 1e9:.2f} GB of memory, and {free / 1e9:.2f} GB are free{kept}"


def _no_room(task: Task, device: Device) -> str:
    """Why the memory of the host is too small by now: what runs layers and the rows themselves take some, too."""
    free = limits.memory(Path("/"))[1] if device.kind == "cpu" else None
    return "" if free is None else _too_large(task.case, device, max(0, free - RESERVE))


def run(todo: Sequence[Task], device: Device, clock: Clock, rules: Rules, rounds: int, judge: Judge) -> Iterator[Task]:
    """Measure all tasks, round after round, so that each case sees the machine at several moments.

    Points of sweeps and layers, which take longer to build than to measure, have their turn in the first round. Yields
    each task after its turn, its row up to date, for progress and for saving.
    """
    prepare(todo, device)
    for number in range(rounds):
        for task in todo:
            if task.open and number < turns(task, rounds):
                task.row = _step(task, device, clock, rules(task.case), judge)
                yield task
            elif not number:
                yield task


def turns(task: Task, rounds: int) -> int:
    """How often a task has its turn."""
    return 1 if is_point(task.case) or not task.open else rounds


def prepare(todo: Iterable[Task], device: Device) -> None:
    """Compile what will run, on all processors at once. What fails here fails again, with its reason, in its turn.

    The first goes alone: what all share, such as the compilers of this machine, is found once, not by every thread.
    """

    asked = (task.case for task in todo if task.open and task.case.backend == "raw")
    ready = [(case, make) for case in asked if (make := case.kernel.prepare)]

    def one(pair: tuple[Case, Callable[..., None]]) -> None:
        case, make = pair
        with suppress(Exception):
            make(device, case.dtype, case.params)

    for first in ready[:1]:
        one(first)
    with ThreadPoolExecutor() as pool:
        list(pool.map(one, ready[1:]))


def _step(task: Task, device: Device, clock: Clock, rule: Rule, judge: Judge) -> Measurement:
    """One round of one task. Any error of the case is its row's reason, never the end of the run."""
    if reason := _no_room(task, device):
        return task.row if task.rounds else replace(task.row, status=SKIPPED, reason=reason)
    try:
        _measure(task, device, clock, rule)
    except Unavailable as reason:
        return replace(task.row, status=SKIPPED, reason=str(reason))
    except (Failure, KernelError, MemoryError) as error:
        return replace(task.row, status=FAILED, reason=str(error) or "out of memory")
    except Exception as error:  # a driver or compiler may raise anything; the other cases must still run
        line = " ".join(str(error).split())
        return replace(task.row, status=FAILED, reason=f"{type(error).__name__}: {line[:300]}")
    row = _row(task)
    wrong = judge(row)
    return replace(row, status=FAILED, reason=wrong) if wrong else row


def _measure(task: Task, device: Device, clock: Clock, rule: Rule) -> None:
    case, first = task.case, not task.repeat
    if first and case.kernel.check_params:
        with _built(case, device, clock, case.kernel.check_params) as launch:
            check(case, launch)
    with _built(case, device, clock) as launch:
        if first:
            if not case.kernel.check_params:
                check(case, launch)
            task.audit = _audited(launch, case)
            task.repeat = calibrate(launch, clock, rule.sample_seconds)
        with beside(case, device, clock, rule.sample_seconds, _built) as others:
            task.rounds.append(measure(launch, clock, rule, task.repeat, between=others.sample))
            task.beside = others.facts()


@contextmanager
def _built(case: Case, device: Device, clock: Clock, changed: Mapping[str, Any] | None = None) -> Iterator[Launch]:
    """The case's launch with some params changed; its buffers are given back whatever happens."""
    params = {**case.params, **(changed or {})}
    launch = case.kernel.backends[case.backend](device, case.dtype, params, clock.queue)
    try:
        yield launch
    finally:
        launch.close()


def check(case: Case, launch: Launch) -> None:
    """Run a launch on checkable operands and compare; raises Failure with the arithmetic."""
    kernel = case.kernel
    launch.run(kernel.check_repeat)
    expected = kernel.reference(case.dtype, kernel.check_repeat, **{**case.params, **kernel.check_params})
    if problem := difference(launch.result(), expected, kernel.tolerance.get(case.dtype, 0.0)):
        raise Failure(f"{kernel.name}/{case.backend} {case.dtype}: {problem}")


def difference(found: np.ndarray, expected: np.ndarray, tolerance: float) -> str:
    """Where and by how much ``found`` differs from ``expected``, or nothing. NaN always differs."""
    if found.shape != expected.shape:
        return f"the result has shape {found.shape}, should be {expected.shape}"
    kind = np.float32 if found.dtype == expected.dtype == np.float32 else np.float64
    error = np.subtract(found, expected, dtype=kind)  # in place from here: a layer may answer with some 100 MB
    np.abs(error, out=error)
    largest = max(float(expected.max(initial=0)), -float(expected.min(initial=0)))
    right = error <= tolerance * max(largest, np.finfo(np.float64).tiny)
    if right.all():
        return ""
    wrong = ~right
    at = tuple(int(i) for i in np.argwhere(wrong)[0])
    place = ", ".join(map(str, at))
    return (
        f"out[{place}] is {found[at]:.9g}, should be {expected[at]:.9g} (tolerance {tolerance:g}); "
        f"{int(wrong.sum())} of {wrong.size} values are wrong"
    )


def _audited(launch: Launch, case: Case) -> Audit:
    audit = launch.audit(case.kernel.work(case.dtype, **case.params))
    if audit.problem:
        raise Failure(f"{case.kernel.name}/{case.backend} {case.dtype}: {audit.problem}")
    return audit


def _row(task: Task) -> Measurement:
    """The row of a task from all its rounds: undisturbed samples, or all of them if too few were."""
    everything = [s for part in task.rounds for s in part]
    limit = (
        usual_cycles(everything) if task.row.backend == "cpu" and task.row.flops and not task.row.bytes else math.inf
    )
    clean = [[s for s in part if s.clean and s.cycles <= limit] for part in task.rounds]
    trusted = sum(map(len, clean)) >= max(min(FEWEST, len(everything)), TRUSTED_SHARE * len(everything))
    kept = clean if trusted else task.rounds
    samples = [s for part in kept for s in part]
    seconds = [s.seconds for s in samples]
    clocks = [s.clock_hz for s in samples if s.clock_hz]
    low, high = rounds_interval([[s.seconds for s in part] for part in kept]) or (None, None)
    dropped = len(everything) - len(samples)
    row = replace(
        task.row, status=OK, seconds_median=median(seconds), seconds_best=min(seconds), seconds_low=low,
        seconds_high=high, samples=len(seconds), dropped=dropped, instruction=task.audit.instruction,
        clock_hz=median(clocks) if clocks else None, params=_params(task),
    )  # fmt: skip
    return replace(row, reason="; ".join(_remarks(row, task.audit, trusted)))


def _params(task: Task) -> str:
    """The case's params, and what was found of what ran and beside it."""
    return json.dumps({**task.case.params, **task.audit.facts, **task.beside}, sort_keys=True)


def _remarks(row: Measurement, audit: Audit, trusted: bool) -> list[str]:
    remarks = [audit.note] if audit.note else []
    if not trusted:
        remarks.append(DISTURBED)
    if row.spread is not None and row.spread > 0.01:
        remarks.append(f"not quiet: the median is known to ±{row.spread:.1%}")
    return remarks
