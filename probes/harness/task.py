"""One case on its way through a run: what it asks, whether it has room, and the row its samples make."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

from kernels.base import Audit
from probes.harness.case import Case, Probe
from probes.harness.devices import limits
from probes.harness.plan import chosen
from probes.harness.records import DISTURBED, OK, SCHEMA_VERSION, SKIPPED, Device, Measurement
from probes.harness.statistics import FEWEST, rounds_interval
from probes.harness.timing import Sample, usual_cycles

NOT_YET = "not measured: the run ended before its turn"
TRUSTED_SHARE = 0.15  # of the samples that must be undisturbed for the others to be left out
RESERVE = 64 << 20  # bytes that stay free whatever a case says it needs
MEMORY_SHARE = 0.8  # of the free memory a case may take: the rest keeps the machine alive

UNITS = (1e9, "G"), (1e6, "M"), (1e3, "k")


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
    return f"needs {_size(need)} of memory, and {_size(free)} are free{kept}"


def _size(count: float) -> str:
    """Bytes in the largest unit of which there is a tenth."""
    size, unit = next((each for each in UNITS if count >= each[0] / 10), (1.0, ""))
    return f"{count / size:.2f} {unit}B" if unit else f"{count:.0f} B"


def no_room(task: Task, device: Device) -> str:
    """Why the memory of the host is too small by now: what runs layers and the rows themselves take some, too."""
    free = limits.memory(Path("/"))[1] if device.kind == "cpu" else None
    return "" if free is None else _too_large(task.case, device, max(0, free - RESERVE))


def row_of(task: Task) -> Measurement:
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
