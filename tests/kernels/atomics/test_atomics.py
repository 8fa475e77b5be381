"""Atomic additions: the machine code adds as often as declared, on every generation."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.atomics import cuda, kernel
from kernels.atomics.work import MEMORIES, ONE, SPREAD
from tests.devices import gpu
from tests.kernels.audits import read_at_once


@pytest.mark.parametrize("arch", ["7.5", "8.7", "9.0"])
def test_every_addition_stands_in_the_machine_code(arch: str) -> None:
    launches = []
    for memory in MEMORIES:
        params = cuda.shape(gpu(arch), memory, ONE)
        launches += [cuda.AtomicsKernel(gpu(arch), dtype, params) for dtype in cuda.ROWS]
    with read_at_once(launches):
        for launch in launches:
            audit = launch.audit(launch.work())
            assert (audit.problem, audit.note) == ("", ""), (launch.dtype, launch.params)
            assert "RED" in audit.instruction or "ATOMS" in audit.instruction


def test_sums_of_one_word_are_those_of_all_threads_until_floats_stop() -> None:
    params = {"steps": 16, "threads": 1024, "block": 512}
    one = kernel("global", ONE).reference
    assert one("int32", 2, **params, memory="global", spread=ONE).tolist() == [[32768.0]]
    assert one("fp16", 2, **params, memory="global", spread=ONE).tolist() == [[2048.0, 1024.0]]
    own = kernel("shared", SPREAD).reference("fp32", 2, **params, memory="shared", spread=SPREAD)
    assert own.shape == (1024, 1)
    assert np.all(own == 32)


def test_a_word_of_halves_counts_twice() -> None:
    params = cuda.shape(gpu("9.0"), "global", SPREAD)
    work = kernel("global", SPREAD).work
    assert work("fp16", **params).flops == 2 * work("int32", **params).flops
