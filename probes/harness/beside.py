"""Other cases timed in turn with one: what the machine gave at the very moments at which that one
was measured.

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
"""``built(case, device, clock)``: a context that builds a case's launch and gives its buffers
back.
"""


@dataclass
class Beside:
    """The launches of some cases, and their samples so far."""

    cases: Sequence[Case]
    launches: Sequence[Launch]
    repeats: Sequence[int]
    clock: Clock
    taken: list[list[Sample]] = field(default_factory=list)

    def sample(self) -> None:
        """One more sample of each."""
        each = zip(self.launches, self.repeats, strict=True)
        self.taken.append([self.clock.sample(launch, repeat) for launch, repeat in each])

    @property
    def doubt(self) -> str:
        """Which of them was mostly disturbed, in words; empty if none was."""
        for case, samples in zip(self.cases, zip(*self.taken, strict=True), strict=True):
            disturbed = sum(not s.clean for s in samples)
            if 2 * disturbed > len(samples):
                return (
                    f"other load disturbed {disturbed} of {len(samples)} samples of "
                    f"{case.ceiling} beside it"
                )
        return ""

    def facts(self) -> dict[str, Any]:
        """``{"beside": {tag: median rate}}`` in FLOP/s or B/s, of clean samples where there are
        any; or nothing.
        """
        if not self.cases:
            return {}
        rates = {}
        for case, samples in zip(self.cases, zip(*self.taken, strict=True), strict=True):
            clean = [s.seconds for s in samples if s.clean] or [s.seconds for s in samples]
            work = case.kernel.work(case.dtype, **case.params)
            counted = case.tag.counts or ""
            rates[case.ceiling] = getattr(work, counted) / median(clean)
        return {"beside": rates}


@contextmanager
def beside(case: Case, device: Device, clock: Clock, rule: Rule, built: Built) -> Iterator[Beside]:
    """The launches of ``case.beside``, built and warm. Their numbers are checked in their own
    turns.
    """
    with ExitStack() as held:
        launches = [held.enter_context(built(other, device, clock)) for other in case.beside]
        repeats = [calibrate(launch, clock, rule) for launch in launches]
        yield Beside(case.beside, launches, repeats, clock)
