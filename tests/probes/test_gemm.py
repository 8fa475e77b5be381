"""What is asked of the vendor's matrix product, and in which ways."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kernels import gemm
from kernels.gemm import cublaslt
from probes import gemm as probe
from probes.harness.case import Case
from tests.devices import CPU, GPU

H100 = replace(GPU, units=132)


@pytest.fixture(autouse=True)
def a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if one were installed."""
    monkeypatch.setattr(cublaslt, "library", lambda: object())


def cases_of(dtype: str) -> dict[str, Case]:
    """The cases of one type on an H100, by tag."""
    return {case.ceiling: case for case in probe.cases(H100) if case.dtype == dtype}


def test_every_type_is_asked_with_random_operands_zeros_and_ones() -> None:
    for dtype in probe.WAYS:
        operands = {tag: case.params["operands"] for tag, case in cases_of(dtype).items()}
        assert operands == {
            f"compute/{dtype}/gemm": "random",
            f"compute/{dtype}/gemm/zeros": "zeros",
            f"compute/{dtype}/gemm/constant": "constant",
        }


def test_every_case_is_asked_in_the_same_ways() -> None:
    for case in probe.cases(H100):
        ways = {tuple(way.items()) for way in case.ways}
        assert len(ways) == len(case.ways), "no way twice"
        for way in case.ways:
            params = {**case.params, **way}
            assert case.kernel.work(case.dtype, **params).flops > 0
        assert case.params.items() >= case.ways[0].items(), "its own params are the first way"
    fp8, int8 = (cases_of(dtype)[f"compute/{dtype}/gemm"] for dtype in ("fp8", "int8"))
    assert {way["layout"] for way in (*fp8.ways, *int8.ways)} == {"TN"}


@pytest.mark.parametrize("units", [148, 132, 108, 128, 84, 46, 16, 8, 7])
@pytest.mark.parametrize("side", [probe.ONE_WAVE, 3072, 6144])
def test_whole_waves_leave_no_multiprocessor_idle(units: int, side: int) -> None:
    m, n = probe.whole_waves(units, side)
    rows, columns = m // probe.TILE[0], n // probe.TILE[1]
    assert (rows * probe.TILE[0], columns * probe.TILE[1]) == (m, n)
    assert rows * columns % units == 0
    assert rows * columns == units or max(m, n) > side // 2


def test_sizes_on_an_h100() -> None:
    assert probe.whole_waves(132, probe.ONE_WAVE) == (11 * 128, 12 * 256)
    assert probe.whole_waves(132, 6144) == (5632, 6144)


def test_a_small_gpu_is_asked_for_less() -> None:
    largest = {}
    for units in (132, 16):
        cases = probe.cases(replace(GPU, units=units))
        works = [case.kernel.work(case.dtype, **case.params).flops for case in cases]
        largest[units] = max(works)
    assert largest[16] < largest[132] / 6


def test_the_load_that_costs_most_power_comes_last() -> None:
    operands = [case.params["operands"] for case in probe.cases(H100)]
    assert operands == sorted(operands, key=["constant", "zeros", "random"].index)


def test_a_cpu_and_an_old_gpu() -> None:
    assert not list(probe.cases(CPU))
    turing = {case.dtype: case.skip for case in probe.cases(replace(GPU, arch="7.5"))}
    assert turing["fp8"] == "sm_75 has no fp8 matrix product (since 8.9)"
    assert turing["fp16"] == ""


def test_an_estimate_of_the_memory_has_room_for_the_largest() -> None:
    case = cases_of("fp64")["compute/fp64/gemm"]
    largest = max(gemm.GEMM.memory_bytes("fp64", way) for way in case.ways)
    assert case.memory_bytes == largest
