"""The driver's copy on a made-up CUDA runtime, whose device memory is the host's own."""

from __future__ import annotations

import pytest

from kernels import stream
from kernels.stream import cuda as stream_cuda
from probes.harness.case import Case
from probes.harness.check import Failure, check
from probes.records.tag import parse_tag
from tests.devices import GPU
from tests.kernels.made_up_cuda import Queue, installed

PARAMS = {"n": 1 << 12}
CASE = Case(stream.COPY, "fp64", "memcpy", parse_tag("bandwidth/dram/memcpy"), PARAMS)


@pytest.mark.parametrize("is_broken", [False, True])
def test_a_copy_is_checked(is_broken: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = installed(monkeypatch)
    launch = stream.COPY.backends["memcpy"](GPU, "fp64", PARAMS, Queue(runtime))
    if is_broken:
        runtime.broken = {(8 * PARAMS["n"], stream_cuda.ON_DEVICE)}
        with pytest.raises(Failure, match=r"out\[0\] is nan"):
            check(CASE, launch)
    else:
        check(CASE, launch)
    assert launch.audit(stream.COPY.work("fp64", **PARAMS)).instruction == "cudaMemcpyAsync"
    launch.close()
    assert not runtime.allocations
