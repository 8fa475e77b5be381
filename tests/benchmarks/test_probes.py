"""Each probe's cases as benchmarks.

A box can so be followed over time, with pytest-benchmark's own files.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from probes.harness.case import Case, choose
from probes.harness.clocks.sampling import Rule, calibrate, clock_for
from probes.harness.devices.choose import choose as choose_device
from probes.records.measurement import RidgelineError

SAMPLE_S = 0.010  # how long a sample takes, so that the clock's resolution is no matter
SAMPLES = 10  # in each round


def runnable() -> Iterator[Any]:
    """Every case of the default probes on the device a plain run would take."""
    device, _ = choose_device(None)
    for probe in choose(None):
        for case in probe.cases(device):
            if not case.skip:
                yield pytest.param(device, case, id=f"{case.ceiling}-{case.backend}")


@pytest.mark.parametrize(("device", "case"), list(runnable()))
def test_case(benchmark: Any, device: Any, case: Case) -> None:
    try:
        clock = clock_for(device)
    except RidgelineError as reason:
        pytest.skip(str(reason))
    launch = case.kernel.backends[case.backend](device, case.dtype, case.params, clock.queue)
    repeat = calibrate(launch, clock, Rule(SAMPLE_S, 0.0))

    def sample() -> list[float]:
        return [clock.sample(launch, repeat).seconds for _ in range(SAMPLES)]

    seconds: list[float] = benchmark.pedantic(sample, rounds=5, iterations=1)  # of the last round
    work = case.kernel.work(case.dtype, **case.params)
    if case.ceiling.startswith("compute"):
        amount, unit = work.flops, "GFLOP/s"
    else:
        amount, unit = work.bytes, "GB/s"
    middle = sorted(seconds)[len(seconds) // 2]
    benchmark.extra_info[unit] = amount / middle / 1e9
    launch.close()
    clock.close()
