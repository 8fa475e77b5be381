"""The host's CPU as company of a GPU: its cases built on a team of their own, and checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from kernels.cpu.launch import CpuLaunch
from probes.harness.case import Case
from probes.harness.check import check
from probes.harness.clocks.team import Team
from probes.harness.clocks.together import Streams
from probes.harness.devices import cpu


@contextmanager
def company(cases: Sequence[Case]) -> Iterator[Streams]:
    """The one case of the host's CPU, ready to go on for as long as it is asked to.

    Its numbers are checked first.
    """
    (case,) = cases
    device = cpu.detect()
    team = Team((device.facts.get("cpus") or list(range(device.units)))[: case.params["threads"]])
    try:
        launch = case.kernel.backends[case.backend](device, case.dtype, case.params, team)
        try:
            check(case, launch)
            work = case.kernel.work(case.dtype, **case.params)
            assert isinstance(launch, CpuLaunch)
            address, arguments = launch.calls
            yield Streams(team, address, arguments, work.bytes)
        finally:
            launch.close()
    finally:
        team.close()
