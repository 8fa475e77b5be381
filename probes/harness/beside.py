"""Time other cases in turn with one: what the machine gave at the moments when it was measured.

Where neighbours share memory or cores, rates drift by tens of percent within seconds, and a ratio
to what was measured at another time says more about them than about the kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from kernels.base import Launch
from kernels.device import Device
from probes.harness.case import Case
from probes.harness.clocks.sampling import Clock, Rule, Sample, calibrate

Built = Callable[..., Any]
"""``built(case, device, clock)``: a context that builds a case's launch, and closes it."""


@dataclass
class Companion:
    """A case that is timed in turn with another."""

    case: Case
    """What is timed."""
    launch: Launch
    """Its kernel, built."""
    repeat: int
    """Repetitions of a sample."""
    samples: list[Sample] = field(default_factory=list)
    """Those taken so far."""

    @property
    def rate(self) -> float:
        """Median rate in FLOP/s or B/s: of the clean samples, or of all if none is clean."""
        seconds = [sample.seconds for sample in self.samples if sample.clean]
        if not seconds:
            seconds = [sample.seconds for sample in self.samples]
        work = self.case.kernel.work(self.case.dtype, **self.case.params)
        amount: float = getattr(work, self.case.tag.counts or "")
        return amount / median(seconds)

    @property
    def doubt(self) -> str:
        """In words, that it was mostly disturbed; empty if it was not."""
        disturbed = sum(not sample.clean for sample in self.samples)
        if 2 * disturbed <= len(self.samples):
            return ""
        return (
            f"other load disturbed {disturbed} of {len(self.samples)} samples of "
            f"{self.case.ceiling} beside it"
        )


@dataclass
class Beside:
    """All cases that are timed in turn with one."""

    companions: Sequence[Companion]
    """In the order in which they are sampled."""
    clock: Clock
    """Times them."""

    def sample(self) -> None:
        """Take one more sample of each."""
        for companion in self.companions:
            sample = self.clock.sample(companion.launch, companion.repeat)
            companion.samples.append(sample)

    @property
    def doubt(self) -> str:
        """Which of them was mostly disturbed, in words; empty if none was."""
        doubts = [companion.doubt for companion in self.companions if companion.doubt]
        return doubts[0] if doubts else ""

    def facts(self) -> dict[str, Any]:
        """``{"beside": {tag: median rate}}`` in FLOP/s or B/s, or nothing if there is no case."""
        if not self.companions:
            return {}
        return {"beside": {each.case.ceiling: each.rate for each in self.companions}}


@contextmanager
def beside(case: Case, device: Device, clock: Clock, rule: Rule, built: Built) -> Iterator[Beside]:
    """The launches of ``case.beside``, built and warm.

    Their numbers are not checked here: they are in their own turns.
    """
    with ExitStack() as stack:
        launches = [stack.enter_context(built(other, device, clock)) for other in case.beside]
        companions = []
        for other, launch in zip(case.beside, launches, strict=True):
            companions.append(Companion(other, launch, calibrate(launch, clock, rule)))
        yield Beside(companions, clock)
