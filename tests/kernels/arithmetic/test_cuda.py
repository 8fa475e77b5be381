"""Slow arithmetic of a GPU does what it declares, on every generation; no GPU is needed."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.theory.peaks import peak_for
from kernels.arithmetic import cuda, on_gpu, work
from kernels.arithmetic.cuda import ArithmeticKernel, Row
from kernels.base import Work
from probes import arithmetic
from tests.devices import GPU, gpu
from tests.kernels.audits import read_at_once

ARCHITECTURES = ("7.5", "8.7", "9.0")
ROWS = [pytest.param(row, id=f"{row.operation.dtype}-{row.operation.name}") for row in cuda.ROWS]


def launch(row: Row, arch: str) -> ArithmeticKernel:
    """The chains of a row on a made-up GPU."""
    return ArithmeticKernel(gpu(arch), row.operation.dtype, cuda.shape(gpu(arch), row))


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_the_hot_loop_holds_the_instruction_that_is_named(arch: str) -> None:
    rows = [row for row in cuda.ROWS if not cuda.missing(gpu(arch), row)]
    assert rows
    kernels = [launch(row, arch) for row in rows]
    with read_at_once(kernels):
        for row, kernel in zip(rows, kernels, strict=True):
            audit = kernel.audit(kernel.work())
            assert (audit.problem, audit.note) == ("", ""), row.operation
            assert audit.instruction


def test_a_chain_that_does_half_is_caught() -> None:
    kernel = launch(cuda.BY_TAG["fp32", "exp2"], "9.0")
    twice = Work(flops=2 * kernel.work().flops)
    assert "operations a repetition, not" in kernel.audit(twice).problem


@pytest.mark.parametrize("row", ROWS)
def test_start_values_differ_between_chains(row: Row) -> None:
    values = row.operation.start(work.LANES_OF_WARP, cuda.CHAINS)
    assert len(set(values[0])) == cuda.CHAINS


@pytest.mark.parametrize("name", [row.operation.name for row in cuda.ROWS if row.since != 8.0])
def test_a_reference_of_functions_tells_how_many_steps_were_done(name: str) -> None:
    row = next(row for row in cuda.ROWS if row.operation.name == name)
    if row.operation.in_bits:
        return
    kernel = on_gpu(row.operation.dtype, name)
    params = {**cuda.shape(gpu("9.0"), row), "threads": work.LANES_OF_WARP}
    right = kernel.reference(row.operation.dtype, 3, **params)
    fewer = kernel.reference(row.operation.dtype, 3, **{**params, "steps": row.steps - 1})
    largest = np.abs(right).max()
    assert np.abs(right - fewer).max() > 2 * row.operation.tolerance * largest


def test_integer_steps_are_what_the_instructions_do() -> None:
    x = np.array([[0x80000001]], np.uint32)
    step = cuda.BY_TAG["int32", "shift"].operation.step
    assert step(x, np.uint32(7), np.uint32(0))[0, 0] == 0x000000C0
    step = cuda.BY_TAG["int32", "popcount"].operation.step
    assert step(x, np.uint32(10), np.uint32(1))[0, 0] == 21
    step = cuda.BY_TAG["int32", "multiply-high"].operation.step
    assert step(x, np.uint32(4), np.uint32(1))[0, 0] == 3
    lanes = np.arange(32, dtype=np.uint32)[:, None]
    step = cuda.BY_TAG["int32", "shuffle"].operation.step
    assert step(lanes, np.uint32(5), np.uint32(100))[:4, 0].tolist() == [105, 104, 107, 106]


def test_the_peak_of_a_function_is_the_guide_s_and_others_are_unknown() -> None:
    cases = {case.ceiling: case for case in arithmetic.cases(GPU)}
    exp2 = peak_for("arithmetic/fp32/exp2", GPU)
    assert exp2 is not None
    assert (exp2.per_clock, exp2.unit) == (16, "OP/s")
    assert peak_for("arithmetic/fp32/tanh", GPU) is None
    assert not cases["arithmetic/fp32/exp2"].full
    assert cases["arithmetic/int32/popcount"].full
