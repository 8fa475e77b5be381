"""One turn of one case: build it, check its numbers and its machine code, then time it. Samples
come out.

Nothing is timed before its numbers were checked. Whatever goes wrong is an answer, too, so that a
turn can be had in another process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from kernels.base import Audit, KernelError, Launch, Unavailable, one_line
from kernels.cuda.nvrtc import processors
from kernels.device import Device
from probes.harness.beside import beside
from probes.harness.case import Case
from probes.harness.check import SOUND, Failure, audited, check
from probes.harness.clocks.sampling import Clock, Rule, Sample, calibrate, measure
from probes.harness.guard import Broken
from probes.harness.task import Round, Task, no_room
from probes.records.measurement import FAILED, OK, SKIPPED

# of a processor, that prepare kernels: most wait for the disassembler, which reads for many at once
THREADS_EACH = 8


@dataclass(frozen=True)
class Turn:
    """What one turn of a task gave."""

    status: str = OK
    reason: str = ""
    """Why there are no samples: the case cannot run here, or it failed."""
    samples: list[Sample] = field(default_factory=list)
    audit: Audit = field(default_factory=Audit)
    """What the machine code was found to do."""
    repeat: int = 0
    """Repetitions of a sample, as calibrated in the first turn."""
    beside: dict[str, Any] = field(default_factory=dict)
    beside_doubt: str = ""
    """Facts of the cases timed in turn with this one, and which of them was mostly disturbed."""
    broken: bool = False
    """The device's context was lost: whatever else runs in this process fails, too."""

    def note(self, task: Task) -> None:
        """Add this turn to what the task knows."""
        task.audit, task.repeat = self.audit, self.repeat
        task.beside, task.beside_doubt = self.beside, self.beside_doubt
        # What is held against others beside it is held against their moments, not against those of
        # another turn.
        earlier = [] if task.case.beside else task.rounds
        task.rounds = [*earlier, Round(self.samples)]


def take_turn(task: Task, device: Device, clock: Clock, rule: Rule) -> Turn:
    """Build, check and time the task's case once. Any error of the case is the turn's reason, never
    raised.
    """
    if reason := no_room(task, device):
        return Turn(SKIPPED, reason)
    try:
        return _timed(task, device, clock, rule)
    except Unavailable as reason:
        return Turn(SKIPPED, str(reason))
    except (
        Exception
    ) as error:  # a driver or compiler may raise anything; the other cases must still run
        return Turn(FAILED, told(error), broken=device.kind == "cuda" and not _answers(clock))


def _answers(clock: Clock) -> bool:
    """Whether a GPU still does what it is asked: an illegal access, say, ends its context for
    good.
    """
    try:
        clock.queue.synchronize()
    except Exception:
        return False
    return True


def told(error: Exception) -> str:
    """An error of a case in one line."""
    if isinstance(error, (Failure, KernelError, MemoryError, Broken)):
        return str(error) or "out of memory"
    return f"{type(error).__name__}: {one_line(error)}"


def _timed(task: Task, device: Device, clock: Clock, rule: Rule) -> Turn:
    """The samples of one turn; in the first, only after the check and the audit."""
    case, first = task.case, not task.repeat
    audit, repeat, verdict = task.audit, task.repeat, SOUND
    if first and case.kernel.check_params:
        with _built(case, device, clock, case.kernel.check_params) as launch:
            verdict = check(case, launch)
    with _built(case, device, clock) as launch:
        if first:
            if not case.kernel.check_params:
                verdict = check(case, launch)
            audit = audited(launch, case, verdict)
            repeat = calibrate(launch, clock, rule)
        with beside(case, device, clock, rule, _built) as others:
            samples = measure(
                launch, clock, rule, repeat, between=others.sample, steady=case.steady
            )
            return Turn(OK, "", samples, audit, repeat, others.facts(), others.doubt)


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
    """Compile what will run, on all processors at once. What fails here fails again, with its
    reason, in its turn.

    The first goes alone: what all share, such as the compilers of this machine, is found once, not
    by every thread. Then the last ones: kernels of tensor cores take longest, and nothing else
    would be left to do beside them.
    """

    asked = (task.case for task in todo if task.open and task.case.backend == "raw")
    ready = [(case, make) for case in asked if (make := case.kernel.prepare)]

    def one(pair: tuple[Case, Callable[..., None]]) -> None:
        case, make = pair
        with suppress(Exception):
            make(device, case.dtype, case.params)

    for first in ready[:1]:
        one(first)
    with ThreadPoolExecutor(THREADS_EACH * processors()) as pool:
        list(pool.map(one, ready[:0:-1]))
