"""Each probe's cases as benchmarks, so that a box can be followed over time with pytest-benchmark's
own files.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from probes.harness.case import Case, choose
from probes.harness.clocks.sampling import Rule, calibrate, clock_for
from probes.harness.devices.choose import choose as choose_device
from probes.records.measurement import RidgelineError


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
    repeat = calibrate(launch, clock, Rule(0.010, 0.0))
    seconds: list[float] = benchmark.pedantic(
        lambda: [clock.sample(launch, repeat).seconds for _ in range(10)], rounds=5, iterations=1
    )
    work = case.kernel.work(case.dtype, **case.params)
    amount, unit = (
        (work.flops, "GFLOP/s") if case.ceiling.startswith("compute") else (work.bytes, "GB/s")
    )
    benchmark.extra_info[unit] = amount / sorted(seconds)[len(seconds) // 2] / 1e9
    launch.close()
    clock.close()
