"""One turn of one case: build it, check its numbers and its machine code, then time it.

Nothing is timed before its numbers were checked. Whatever goes wrong is an answer, too, so that a
turn can be had in another process.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from kernels.base import Audit, KernelError, Launch, Unavailable, one_line
from kernels.device import Device
from kernels.processors import processors
from probes.harness.beside import beside
from probes.harness.case import Case
from probes.harness.check import SOUND, Failure, check, check_code
from probes.harness.clocks.sampling import Clock, Rule, Sample, calibrate, measure
from probes.harness.clocks.settling import Frequency, Warm, settle
from probes.harness.clocks.together import TogetherClock
from probes.harness.company import company
from probes.harness.guard import Broken
from probes.harness.task import Round, Task, no_room
from probes.harness.ways import Choice, Search
from probes.records.measurement import FAILED, OK, SKIPPED

THREADS_PER_PROCESSOR = 8
"""That prepare kernels. Most of them wait for the disassembler, which reads for many at once."""


@dataclass(frozen=True)
class Turn:
    """What one turn of a task gave."""

    status: str = OK
    """``ok``, ``skipped`` or ``failed``."""
    reason: str = ""
    """Why there are no samples: the case cannot run here, or it failed."""
    samples: list[Sample] = field(default_factory=list)
    """What was timed."""
    audit: Audit = field(default_factory=Audit)
    """What the machine code was found to do."""
    repeat: int = 0
    """Repetitions of a sample, as calibrated in the first turn."""
    beside: dict[str, Any] = field(default_factory=dict)
    """Facts of the cases timed in turn with this one."""
    beside_doubt: str = ""
    """Which of those was mostly disturbed."""
    warm: Warm | None = None
    """How its warm-up went; None where the clock needs none."""
    params: Mapping[str, Any] | None = None
    """Those of the case in its fastest way; None where it has only one, or it is known."""
    broken: bool = False
    """True if the device's context was lost: whatever else runs in this process fails, too."""

    def add_to(self, task: Task) -> None:
        """Give the task this turn's samples and what was found of them."""
        if self.params is not None:
            task.choose(self.params)
        task.audit = self.audit
        task.repeat = self.repeat
        task.beside = self.beside
        task.beside_doubt = self.beside_doubt
        # A case timed in turn with others is compared with their moments, not with another turn's.
        earlier = [] if task.case.beside else task.rounds
        task.rounds = [*earlier, Round(self.samples)]


def take_turn(
    task: Task, device: Device, clock: Clock, rule: Rule, frequency: Frequency | None = None
) -> Turn:
    """Build, check and time the task's case once.

    frequency: reads a clock that has to settle first; None where none has.
    Raises nothing that is the case's fault: that is the reason of its turn.
    """
    if reason := no_room(task, device):
        return Turn(SKIPPED, reason)
    try:
        return _timed(task, device, clock, rule, frequency)
    except Unavailable as reason:
        return Turn(SKIPPED, str(reason))
    except Exception as error:  # drivers and compilers raise anything; other cases must still run
        broken = device.kind == "cuda" and not _answers(clock)
        return Turn(FAILED, in_one_line(error), broken=broken)


def _answers(clock: Clock) -> bool:
    """True if the GPU still does what it is asked: an illegal access ends its context for good."""
    try:
        clock.queue.synchronize()
    except Exception:
        return False
    return True


def in_one_line(error: Exception) -> str:
    """An error of a case in one line; with its type, unless that is one of ours."""
    if isinstance(error, (Failure, KernelError, MemoryError, Broken)):
        return str(error) or "out of memory"
    return f"{type(error).__name__}: {one_line(error)}"


def _timed(
    task: Task, device: Device, clock: Clock, rule: Rule, frequency: Frequency | None
) -> Turn:
    """The samples of one turn; of a case that has several ways, in the fastest that is right."""
    case = task.case
    if not case.ways:
        return _sampled(case, task, device, clock, rule, frequency)
    search = Search(case, device, clock, _built, rule)
    failure: Failure | None = None
    for wrong, params in enumerate(search.fastest_first()):
        try:
            in_this_way = replace(case, params=params, ways=())
            turn = _sampled(in_this_way, task, device, clock, rule, frequency)
        except Failure as error:
            failure = failure or error
            continue
        choice = Choice(params, search.tried, wrong)
        return replace(turn, params=params, audit=choice.told_in(turn.audit))
    assert failure is not None
    raise failure


def _sampled(
    case: Case,
    task: Task,
    device: Device,
    clock: Clock,
    rule: Rule,
    frequency: Frequency | None,
) -> Turn:
    """The samples of one turn of a task's case; in the first, only after the check and the audit.

    case: as it is asked, in one of its ways.
    """
    audit = task.audit
    repeat = task.repeat
    is_first = not repeat
    has_own_check = bool(case.kernel.check_params)
    verdict = SOUND
    if is_first and has_own_check:
        with _built(case, device, clock, case.kernel.check_params) as launch:
            verdict = check(case, launch)
    with _built(case, device, clock) as launch:
        if is_first:
            if not has_own_check:
                verdict = check(case, launch)
            audit = check_code(launch, case, verdict)
            repeat = calibrate(launch, clock, rule)
        warm = settle(launch, clock, repeat, frequency) if frequency else None
        if case.during:
            turn = _together(task, launch, clock, rule, audit, repeat)
            return replace(turn, warm=warm)
        with beside(case, device, clock, rule, _built) as others:
            samples = measure(
                launch, clock, rule, repeat, between=others.sample, steady=case.steady
            )
            return Turn(
                samples=samples,
                audit=audit,
                repeat=repeat,
                beside=others.facts(),
                beside_doubt=others.doubt,
                warm=warm,
            )


def _together(
    task: Task, launch: Launch, clock: Clock, rule: Rule, audit: Audit, repeat: int
) -> Turn:
    """The samples of a turn during which the host's CPU works, too."""
    with company(task.case.during) as host:
        both = TogetherClock(clock, host, rule.sample_seconds)
        samples = measure(launch, both, rule, repeat)
        work = task.case.kernel.work(task.case.dtype, **task.case.params)
        return Turn(
            samples=samples,
            audit=audit,
            repeat=repeat,
            beside={"together": both.rates(work.bytes)},
            beside_doubt=both.doubt,
        )


@contextmanager
def _built(
    case: Case, device: Device, clock: Clock, changed: Mapping[str, Any] | None = None
) -> Iterator[Launch]:
    """The case's launch with some params changed; its buffers are given back whatever happens."""
    params = {**case.params, **(changed or {})}
    launch = case.kernel.backends[case.backend](device, case.dtype, params, clock.queue)
    try:
        yield launch
    finally:
        launch.close()


def prepare(todo: Iterable[Task], device: Device) -> None:
    """Compile what will run, on all processors at once.

    What fails here is silent: it fails again, with its reason, in its turn.
    """
    cases = [task.case for task in todo if task.open and task.case.backend == "raw"]

    def compile_one(case: Case) -> None:
        if case.kernel.prepare is not None:
            with suppress(Exception):
                case.kernel.prepare(device, case.dtype, case.params)

    # The first goes alone: what all share, such as the compilers of this machine, is found once,
    # not by every thread. Then the last come first: kernels of tensor cores take longest, and
    # nothing else would be left to do beside them.
    for first in cases[:1]:
        compile_one(first)
    with ThreadPoolExecutor(THREADS_PER_PROCESSOR * processors()) as pool:
        list(pool.map(compile_one, cases[:0:-1]))
