"""The model is arithmetic: it must be right to the last digit."""

from __future__ import annotations

import pytest

from analysis.ceilings import ceilings
from analysis.roofline import Roof, attainable, ridge, roofline
from analysis.units import percent, si
from probes.harness.records import FAILED
from tests.devices import GPU, measurement

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


def test_roofs_are_what_can_be_trusted_best_first() -> None:
    model = roofline(ceilings(ROWS, GPU).values())
    assert [r.tag for r in model.compute] == ["compute/fp32", "compute/fp64"]
    assert [r.tag for r in model.bandwidth] == ["bandwidth/l2", "bandwidth/dram"]
    assert model.memory is not None
    assert model.memory.tag == "bandwidth/dram"
    assert model.compute[0].peak == 2e9 * 25600


def test_the_fastest_way_to_a_unit_is_its_roof() -> None:
    tags = {"compute/fp16": 1e13, "compute/fp16/wmma-fp32": 2e13, "compute/fp16/wgmma-fp32": 4e13,
            "compute/fp16/mma_sp-fp32": 5e13, "compute/fp16/gemm": 3e13, "compute/bf16/gemm": 2e13}  # fmt: skip
    model = roofline(ceilings([measurement(tag, rate) for tag, rate in tags.items()], GPU).values())
    assert [r.tag for r in model.compute] == [
        "compute/fp16/mma_sp-fp32",
        "compute/fp16/wgmma-fp32",
        "compute/fp16",
    ]


def test_labels() -> None:
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
def test_numbers_for_people(value: float | None, text: str) -> None:
    assert si(value, "B/s") == text


def test_fewer_digits_leave_whole_numbers_alone() -> None:
    assert [si(x, "W", 2) for x in (125.0, 1.25e3, 9.996)] == ["125 W", "1.2 kW", "10 W"]
    assert [si(x, "", 1) for x in (1e12, 15e9)] == ["1 T", "15 G"]


def test_percent() -> None:
    assert percent(0.98123) == "98.1 %"
    assert percent(None) == "–"
