"""One case on its way through a run: its task, the memory it needs, and the row of its samples."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
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
from probes.records.measurement import OK, SCHEMA_VERSION, SKIPPED, WIDEST_SPREAD, Measurement

NOT_YET = "not measured: the run ended before its turn"
MOST_COMPANY = 0.2
"""Share of the processors' time that others may have beside work that leaves a core.

They share its caches and memory, where no thread sees them.
"""
FEWEST_CLOCKS = 2
"""Samples with a known clock that a row's clock needs: fewer tell nothing."""
CALM = 0.5
"""Share of a round's samples that must be clean: else other load made the round what it was."""
RESERVE = 64 << 20
"""Bytes that stay free whatever a case says it needs."""
MEMORY_SHARE = 0.8
"""Of the free memory, that a case may take: the rest keeps the machine alive."""

UNITS = (1e9, "G"), (1e6, "M"), (1e3, "k")


@dataclass
class Round:
    """The samples of one turn of a task."""

    samples: list[Sample]
    """In the order in which they were taken."""
    company: float = 0.0
    """Share of the processors' time that other processes or machines had about that moment."""

    @property
    def clean(self) -> int:
        """How many of its samples nothing interrupted."""
        return sum(sample.clean for sample in self.samples)


@dataclass
class Task:
    """One case on its way through the rounds."""

    probe: str
    """Name of the probe that asks it."""
    case: Case
    """What is asked."""
    row: Measurement
    """What its rounds so far say."""
    audit: Audit = field(default_factory=Audit)
    """What its machine code was found to do."""
    repeat: int = 0
    """Repetitions of a sample; 0 before the first turn."""
    rounds: list[Round] = field(default_factory=list)
    """One for each turn that gave samples."""
    beside: dict[str, Any] = field(default_factory=dict)
    """Facts of the cases timed in turn with this one."""
    beside_doubt: str = ""
    """Which of those was mostly disturbed."""

    @property
    def rows(self) -> list[Measurement]:
        """Its row, and those of the same work elsewhere."""
        rows = [self.row]
        for params in self.case.also:
            with_facts = {**params, **self.audit.facts}
            rows.append(replace(self.row, params=json.dumps(with_facts, sort_keys=True)))
        return rows

    def choose(self, params: Mapping[str, Any]) -> None:
        """Ask its case with these params from now on: its fastest way."""
        work = self.case.kernel.work(self.case.dtype, **params)
        self.case = replace(self.case, params=params, ways=())
        self.row = replace(self.row, flops=_none_if_nan(work.flops), bytes=_none_if_nan(work.bytes))

    @property
    def open(self) -> bool:
        """True if there is more to measure: it has neither failed nor been skipped."""
        return self.row.status == OK or self.row.reason == NOT_YET


def tasks(
    probes: Iterable[Probe], device: Device, started: str, full: bool = True, quick: bool = False
) -> list[Task]:
    """The tasks of a run: the cases of these probes that it measures.

    Each has its row already; that of a case that cannot run here says why.
    """
    asked: list[tuple[str, Case]] = []
    for probe in probes:
        asked.extend((probe.name, case) for case in probe.cases(device))
    todo = []
    for name, case in chosen(asked, full, quick):
        todo.append(Task(name, case, _first_row(name, case, device, started)))
    return todo


def _first_row(probe: str, case: Case, device: Device, started: str) -> Measurement:
    """The row of a case before its first turn: skipped, with the reason."""
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
        flops=_none_if_nan(work.flops),
        bytes=_none_if_nan(work.bytes),
    )


def _none_if_nan(work: float) -> float | None:
    """The work, or an empty cell where it is NaN: the table of a layer does not know it."""
    return None if math.isnan(work) else work


def _too_large(case: Case, device: Device, free_bytes: float | None = None) -> str:
    """Why a case and those beside it have no room in the free memory; empty if they have.

    free_bytes: None: what was free when the device was found.
    """
    if free_bytes is None:
        free_bytes = device.memory_free_bytes
    need = 0.0
    for together in (case, *case.beside, *case.during):
        need += together.memory_bytes
    if free_bytes is None or math.isnan(need) or need <= MEMORY_SHARE * free_bytes:
        return ""
    text = f"needs {_size(need)} of memory, and {_size(free_bytes)} are free"
    if need <= free_bytes:
        return f"{text}, {1 - MEMORY_SHARE:.0%} of which stay so"
    return text


def _size(count: float) -> str:
    """Bytes in the largest unit of which there is a tenth."""
    for size, unit in UNITS:
        if count >= size / 10:
            return f"{count / size:.2f} {unit}B"
    return f"{count:.0f} B"


def no_room(task: Task, device: Device) -> str:
    """Why the memory of the host is too small by now; empty if it is not, or on a GPU.

    What runs layers, and the rows themselves, have taken some since the device was found.
    """
    free = limits.memory(Path("/"))[1] if device.kind == "cpu" else None
    return "" if free is None else _too_large(task.case, device, max(0, free - RESERVE))


@dataclass(frozen=True)
class Sifted:
    """The samples of all rounds of a task, sorted by what disturbed them."""

    rounds: list[list[Sample]]
    """Those that speak for the case, round by round."""
    taken: int
    """All samples of the rounds used."""
    disturbed: int
    """Those in which a thread lost its processor."""
    shared: int
    """Clean ones that took more cycles than this work takes alone on its core, or whose clock was
    disturbed; 0 where that cannot be told.
    """
    company: float = 0.0
    """Share of the processors' time that others had, where that matters: the largest of any round
    used.
    """

    @property
    def undisturbed(self) -> int:
        """How many samples nothing disturbed."""
        return self.taken - self.disturbed - self.shared

    @property
    def samples(self) -> list[Sample]:
        """Those that speak for the case, together."""
        return _together(self.rounds)

    @property
    def doubt(self) -> str:
        """Why these samples cannot be trusted, in words; empty if they can."""
        if 2 * self.disturbed > self.taken:
            return f"other load disturbed {self.disturbed} of {self.taken} samples"
        if self.undisturbed < min(FEWEST, self.taken):
            return f"only {self.undisturbed} of {self.taken} samples were undisturbed"
        if self.company > MOST_COMPANY:
            return (
                f"others had {self.company:.0%} of the processors meanwhile, and share its "
                "caches and memory"
            )
        return ""


def _together(rounds: Iterable[Iterable[Sample]]) -> list[Sample]:
    """The samples of all rounds in one list."""
    return list(chain.from_iterable(rounds))


def sift(rounds: Sequence[Round], steady: bool, in_registers: bool = False) -> Sifted:
    """Leave out what other load disturbed.

    Where some rounds were calm the others are left out whole: what is clean in them was taken in a
    gap between two interruptions. With none calm, the clean samples of all rounds are used, or
    every sample if none is clean, and the doubt says so. steady: the work always takes as many
    cycles. in_registers: others disturb it only where they interrupt it.
    """
    filled = [part for part in rounds if part.samples]
    calm = [part for part in filled if _is_calm(part, in_registers)]
    enough_are_calm = len(_together(believed(_samples_of(calm), steady))) >= FEWEST
    used = calm if enough_are_calm else filled
    everything = _samples_of(used)
    speaking = undisturbed(everything, steady)
    taken = len(_together(everything))
    disturbed = taken - sum(part.clean for part in used)
    shared = taken - disturbed - len(_together(speaking))
    company = 0.0
    if not in_registers:
        company = max((part.company for part in used), default=0.0)
    if not any(speaking):
        speaking = everything
    return Sifted(speaking, taken, disturbed, shared, company)


def _samples_of(rounds: Sequence[Round]) -> list[list[Sample]]:
    """The samples of each round."""
    return [part.samples for part in rounds]


def _is_calm(part: Round, in_registers: bool) -> bool:
    """True if other load did not make the samples of this round what they are.

    Enough of them are clean, these agree as far as they are enough to tell, and others were quiet,
    unless the work stays in registers.
    """
    clean = [sample.seconds for sample in part.samples if sample.clean]
    mostly_clean = len(clean) >= CALM * len(part.samples)
    agree = len(clean) < FEWEST or half_width(clean) <= WIDEST_SPREAD
    others_quiet = in_registers or part.company <= MOST_COMPANY
    return mostly_clean and agree and others_quiet


def row_of(task: Task) -> Measurement:
    """The row of a task from all its rounds.

    It is not trusted if other load made its samples what they are. Its interval is empty then: it
    would tell how much the samples agree, not how far all of them are off. So is its clock.
    """
    in_registers = bool(task.row.flops) and not task.row.bytes
    sifted = sift(task.rounds, task.case.steady, in_registers)
    taken = len(_together(_samples_of(task.rounds)))
    seconds = [sample.seconds for sample in sifted.samples]
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
        bytes=_bytes(task, sifted.samples),
        params=_params(task),
        emulated=task.audit.emulated,
        reason=task.audit.note,
        trusted=True,
        doubt="",
    )
    doubt = sifted.doubt or task.beside_doubt
    if doubt:
        return replace(row, trusted=False, doubt=doubt)
    interval = rounds_interval([[sample.seconds for sample in part] for part in sifted.rounds])
    low, high = interval or (None, None)
    clocks = [sample.clock_hz for sample in sifted.samples if sample.clock_hz]
    enough_clocks = len(clocks) >= min(FEWEST_CLOCKS, taken)
    clock = median(clocks) if enough_clocks else None
    return replace(row, seconds_low=low, seconds_high=high, clock_hz=clock)


def _bytes(task: Task, samples: Sequence[Sample]) -> float | None:
    """Least traffic of one repetition, with what the host moved meanwhile where that counts."""
    if not task.case.during:
        return task.row.bytes
    work = task.case.kernel.work(task.case.dtype, **task.case.params)
    return work.bytes + median(sample.moved for sample in samples)


def _params(task: Task) -> str:
    """The case's params, and what was found of what ran and beside it, as JSON."""
    return json.dumps({**task.case.params, **task.audit.facts, **task.beside}, sort_keys=True)
