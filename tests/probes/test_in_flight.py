"""Each launch has the chains that it is asked for, and as much work a trip as the usual one."""

from __future__ import annotations

import pytest

from kernels.device import Device
from kernels.fma import cuda as fma_cuda
from probes import in_flight
from tests.devices import CPU, gpu


@pytest.mark.parametrize("device", [CPU, gpu("9.0")], ids=["cpu", "gpu"])
def test_more_chains_are_no_more_work_a_trip(device: Device) -> None:
    cases = list(in_flight.cases(device))
    assert [case.x for case in cases] == list(in_flight.NUMBERS)
    work = {case.kernel.work(case.dtype, **case.params).flops for case in cases}
    assert len(work) == 1


@pytest.mark.parametrize("chains", in_flight.NUMBERS)
def test_chains_are_in_the_machine_code_of_a_gpu(chains: int) -> None:
    (case,) = (case for case in in_flight.cases(gpu("9.0")) if case.x == chains)
    kernel = fma_cuda.FmaKernel(gpu("9.0"), case.dtype, dict(case.params))
    audit = kernel.audit(kernel.work())
    assert audit.problem == ""
    assert audit.instruction.startswith("FFMA")
