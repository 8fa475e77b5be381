"""One case on its way through a run: what it asks, whether it has room, and the row its samples
make.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

from kernels.base import Audit
from kernels.device import Device
from probes.harness.case import Case, Probe
from probes.harness.clocks.sampling import Sample, believed, undisturbed
from probes.harness.clocks.statistics import FEWEST, half_width, rounds_interval
from probes.harness.devices import limits
from probes.harness.plan import chosen
from probes.records.measurement import OK, SCHEMA_VERSION, SKIPPED, WIDEST, Measurement

NOT_YET = "not measured: the run ended before its turn"
COMPANY = 0.2
"""Share of the processors' time that others may have beside work that leaves a core: they share its
caches and memory, where no thread sees them."""
READ_TWICE = 2  # clean readings of the clock, each of them the same twice: fewer tell nothing
# share of a round's samples that must be clean: else other load made the round what it was
CALM = 0.5
RESERVE = 64 << 20  # bytes that stay free whatever a case says it needs
MEMORY_SHARE = 0.8  # of the free memory a case may take: the rest keeps the machine alive

UNITS = (1e9, "G"), (1e6, "M"), (1e3, "k")


@dataclass
class Round:
    """The samples of one turn of a task."""

    samples: list[Sample]
    company: float = 0.0
    """Share of the processors' time that other processes or machines had about that moment."""

    @property
    def clean(self) -> int:
        """How many of its samples nothing interrupted."""
        return sum(s.clean for s in self.samples)


@dataclass
class Task:
    """One case on its way through the rounds."""

    probe: str
    case: Case
    row: Measurement
    audit: Audit = field(default_factory=Audit)
    repeat: int = 0
    rounds: list[Round] = field(default_factory=list)
    beside: dict[str, Any] = field(default_factory=dict)
    beside_doubt: str = ""

    @property
    def rows(self) -> list[Measurement]:
        """Its row, and those of the same work elsewhere."""
        facts = self.audit.facts
        twins = [json.dumps({**each, **facts}, sort_keys=True) for each in self.case.also]
        return [self.row, *(replace(self.row, params=params) for params in twins)]

    @property
    def open(self) -> bool:
        """Whether there is anything (more) to measure: neither failed nor unable to run here."""
        return self.row.status == OK or self.row.reason == NOT_YET


def tasks(
    probes: Iterable[Probe], device: Device, started: str, full: bool = True, quick: bool = False
) -> list[Task]:
    """What a run asks of these probes, as tasks; cases that cannot run here are skipped rows
    already.
    """
    asked = ((probe.name, case) for probe in probes for case in probe.cases(device))
    return [
        Task(name, case, _first_row(name, case, device, started))
        for name, case in chosen(asked, full, quick)
    ]


def _first_row(probe: str, case: Case, device: Device, started: str) -> Measurement:
    work = case.kernel.work(case.dtype, **case.params)
    reason = case.skip or _too_large(case, device)
    return Measurement(
        schema_version=SCHEMA_VERSION,
        device=device.name,
        started=started,
        probe=probe,
        kernel=case.kernel.name,
        backend=case.backend,
        dtype=case.dtype,
        ceiling=case.ceiling,
        params=json.dumps(dict(case.params), sort_keys=True),
        x=case.x,
        status=SKIPPED,
        reason=reason or NOT_YET,
        flops=_known(work.flops),
        bytes=_known(work.bytes),
    )


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
    """Why the memory of the host is too small by now: what runs layers and the rows themselves take
    some, too.
    """
    free = limits.memory(Path("/"))[1] if device.kind == "cpu" else None
    return "" if free is None else _too_large(task.case, device, max(0, free - RESERVE))


@dataclass(frozen=True)
class Sifted:
    """The samples of all rounds of a task, sorted by what disturbed them."""

    rounds: list[list[Sample]]
    """Those that speak for the case, round by round."""
    taken: int
    """All samples there are."""
    disturbed: int
    """Those in which a thread lost its processor."""
    shared: int
    """Clean ones that took more cycles than this work takes alone on its core, or whose clock was
    disturbed; 0 where that cannot be told."""
    company: float = 0.0
    """Share of the processors' time that others had, where that matters: the most of any round
    used.
    """

    @property
    def undisturbed(self) -> int:
        """How many samples nothing disturbed."""
        return self.taken - self.disturbed - self.shared

    @property
    def samples(self) -> list[Sample]:
        """Those that speak for the case, together."""
        return [sample for part in self.rounds for sample in part]

    @property
    def doubt(self) -> str:
        """Why these samples cannot be trusted, in words; empty if they can."""
        if 2 * self.disturbed > self.taken:
            return f"other load disturbed {self.disturbed} of {self.taken} samples"
        if self.undisturbed < min(FEWEST, self.taken):
            return f"only {self.undisturbed} of {self.taken} samples were undisturbed"
        if self.company > COMPANY:
            return (
                f"others had {self.company:.0%} of the processors meanwhile, and share its "
                "caches and memory"
            )
        return ""


def _is_calm(part: Round, alone: bool) -> bool:
    """True if most samples of a round are clean, agree as far as they are enough to tell, and
    others were quiet.
    """
    clean = [s.seconds for s in part.samples if s.clean]
    agree = len(clean) < FEWEST or half_width(clean) <= WIDEST
    quiet = alone or part.company <= COMPANY
    return len(clean) >= CALM * len(part.samples) and agree and quiet


def sift(rounds: Sequence[Round], steady: bool, alone: bool = False) -> Sifted:
    """Leave out what other load disturbed.

    Where some rounds were calm the others are left out whole: what is clean in them was taken in a
    gap between two interruptions. With none calm, the clean samples of all rounds are kept, or
    every sample if none is clean, and the doubt says so. steady: the work always takes as many
    cycles. alone: it stays in registers, so that others disturb it only where they interrupt it.
    """
    filled = [part for part in rounds if part.samples]
    calm = [part for part in filled if _is_calm(part, alone)]
    quiet = [part.samples for part in calm]
    used = calm if sum(map(len, believed(quiet, steady))) >= FEWEST else filled
    taken = sum(len(part.samples) for part in used)
    disturbed = taken - sum(part.clean for part in used)
    kept = undisturbed([part.samples for part in used], steady)
    shared = taken - disturbed - sum(map(len, kept))
    shown = kept if any(kept) else [part.samples for part in used]
    company = 0.0 if alone else max((part.company for part in used), default=0.0)
    return Sifted(shown, taken, disturbed, shared, company)


def row_of(task: Task) -> Measurement:
    """The row of a task from all its rounds; not trusted if other load made its samples what they
    are.

    The interval of such a row is empty: it would tell how much the samples agree, not how far all
    of them are off. Its clock is unknown, too.
    """
    in_registers = bool(task.row.flops) and not task.row.bytes
    found = sift(task.rounds, task.case.steady, alone=in_registers)
    taken = sum(len(part.samples) for part in task.rounds)
    seconds = [s.seconds for s in found.samples]
    row = replace(
        task.row,
        status=OK,
        seconds_median=median(seconds),
        seconds_best=min(seconds),
        seconds_low=None,
        seconds_high=None,
        samples=len(seconds),
        dropped=taken - len(seconds),
        instruction=task.audit.instruction,
        clock_hz=None,
        params=_params(task),
        emulated=task.audit.emulated,
        reason=task.audit.note,
        trusted=True,
        doubt="",
    )
    if doubt := found.doubt or task.beside_doubt:
        return replace(row, trusted=False, doubt=doubt)
    low, high = rounds_interval([[s.seconds for s in part] for part in found.rounds]) or (
        None,
        None,
    )
    clocks = [s.clock_hz for s in found.samples if s.clock_hz]
    clock = median(clocks) if len(clocks) >= min(READ_TWICE, taken) else None
    return replace(row, seconds_low=low, seconds_high=high, clock_hz=clock)


def _params(task: Task) -> str:
    """The case's params, and what was found of what ran and beside it."""
    return json.dumps({**task.case.params, **task.audit.facts, **task.beside}, sort_keys=True)
