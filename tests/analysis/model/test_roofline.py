"""The roofs of the model and the numbers in which they are told are right to the last digit."""

from __future__ import annotations

import pytest

from analysis.model.ceilings import ceilings
from analysis.model.roofline import Roof, attainable, ridge, roofline
from analysis.units import brief, percent, short, si
from probes.records.measurement import FAILED
from tests.devices import CPU, GPU, measurement

ROWS = [
    measurement("compute/fp64", 2e13),
    measurement("compute/fp32", 4e13),
    measurement("compute/fp16", 9e13, status=FAILED, reason="wrong"),
    measurement("compute/fp32/sustained", 5e13),
    measurement("bandwidth/dram/copy", 5e11),
    measurement("bandwidth/l2/read", 9e11),
]


def test_attainable_is_the_lower_of_slope_and_roof() -> None:
    assert attainable(2.0, 100.0, 10.0) == 20.0
    assert attainable(10.0, 100.0, 10.0) == 100.0
    assert attainable(ridge(100.0, 10.0), 100.0, 10.0) == 100.0
    assert attainable(99.0, 100.0, 10.0) == 100.0


def test_roofs_are_the_ceilings_that_can_be_trusted_best_first() -> None:
    model = roofline(ceilings(ROWS, GPU).values())
    assert [roof.tag for roof in model.compute] == ["compute/fp32", "compute/fp64"]
    assert [roof.tag for roof in model.bandwidth] == ["bandwidth/l2", "bandwidth/dram"]
    assert model.memory is not None
    assert model.memory.tag == "bandwidth/dram"
    assert model.compute[0].peak == 2e9 * 100 * 256  # rated clock, SMs, operations a cycle of each


def test_the_fastest_way_to_a_unit_is_its_roof() -> None:
    rates = {
        "compute/fp16": 1e13,
        "compute/fp16/wmma-fp32": 2e13,
        "compute/fp16/wgmma-fp32": 4e13,
        "compute/fp16/mma_sp-fp32": 5e13,
        "compute/fp16/gemm": 3e13,
        "compute/bf16/gemm": 2e13,
    }
    rows = [measurement(tag, rate) for tag, rate in rates.items()]
    model = roofline(ceilings(rows, GPU).values())
    assert [roof.tag for roof in model.compute] == [
        "compute/fp16/mma_sp-fp32",
        "compute/fp16/wgmma-fp32",
        "compute/fp16",
    ]


def test_a_cpus_tiles_of_matrices_are_a_unit_and_its_long_registers_are_none() -> None:
    rates = {
        "compute/int8": 1e12,
        "compute/int8/sve": 2e12,
        "compute/int8/usdot": 1.1e12,
        "compute/int8/smmla": 3e12,
        "compute/int8/sve_smmla": 4e12,
    }
    rows = [measurement(tag, rate) for tag, rate in rates.items()]
    model = roofline(ceilings(rows, CPU).values())
    assert [roof.tag for roof in model.compute] == ["compute/int8/sve_smmla", "compute/int8/sve"]


def test_a_roof_is_labelled_by_type_and_path_or_by_level() -> None:
    assert Roof("compute/fp16/wgmma-fp32", 1.0, None, "FLOP/s").label == "FP16 wgmma-fp32"
    assert Roof("bandwidth/dram", 1.0, None, "B/s").label == "DRAM"


def test_nothing_measured_is_an_empty_model() -> None:
    model = roofline([])
    assert model.compute == model.bandwidth == ()
    assert model.memory is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (4.2367e12, "4.24 TB/s"),
        (989e12, "989 TB/s"),
        (1.979e15, "1.98 PB/s"),
        (999.6, "1.00 kB/s"),
        (-2.5e9, "-2.50 GB/s"),
        (0.0, "0.00 B/s"),
        (1.5e-6, "1.50 µB/s"),
        (None, "–"),
    ],
)
def test_a_number_has_three_digits_and_a_prefix_for_its_unit(
    value: float | None, text: str
) -> None:
    assert si(value, "B/s") == text


def test_axes_tell_neighbouring_ticks_apart_and_end_in_no_zeros() -> None:
    assert [brief(x, "B/s") for x in (0.0, 5e11, 1e12, 1.5e12, 2e12)] == [
        "0",
        "500 GB/s",
        "1 TB/s",
        "1.5 TB/s",
        "2 TB/s",
    ]


def test_a_number_without_a_unit_has_no_exponent() -> None:
    assert [short(x) for x in (1063.0, 40.62, 0.25)] == ["1060", "40.6", "0.25"]


def test_a_share_is_written_in_percent_and_an_unknown_one_as_a_dash() -> None:
    assert percent(0.98123) == "98.1 %"
    assert percent(None) == "–"
