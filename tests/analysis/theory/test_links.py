"""What the links of a GPU could carry, from what the driver tells of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analysis.theory.limits import excess
from analysis.theory.peaks import peak_for
from kernels.device import Device
from tests.devices import GPU, measurement

PCIE_5 = 16 * 32e9 * 128 / 130 / 8
"""Bytes a second, one way, of 16 lanes of PCIe 5."""
EIGHTEEN_NVLINKS = 18 * 25e9


def gpu(**facts: object) -> Device:
    """A Hopper, index 0, of which these facts are known."""
    return replace(GPU, arch="9.0", index=0, facts=facts)


JOINED = gpu(pcie={"generation": 5, "lanes": 16}, nvlinks={"1": 18, "2": 0})


@pytest.mark.parametrize(
    ("tag", "rate"),
    [
        ("transfer/h2d", PCIE_5),
        ("transfer/d2h", PCIE_5),
        ("transfer/h2d/pageable", PCIE_5),
        ("transfer/both", 2 * PCIE_5),
        ("transfer/peer-0-1", EIGHTEEN_NVLINKS),
        ("transfer/peer-1-0", EIGHTEEN_NVLINKS),
        ("transfer/peer-0-1/both", 2 * EIGHTEEN_NVLINKS),
        ("transfer/peer-0-2", PCIE_5),
        ("transfer/peer-2-0/both", 2 * PCIE_5),
    ],
)
def test_a_transfer_is_bounded_by_what_it_goes_over(tag: str, rate: float) -> None:
    peak = peak_for(tag, JOINED)
    assert peak is not None
    assert peak.value == pytest.approx(rate)
    assert peak.unit == "B/s"
    assert peak.source and "x" in peak.formula


@pytest.mark.parametrize(
    ("tag", "device"),
    [
        ("transfer/h2d", gpu()),
        ("transfer/h2d", gpu(pcie={"generation": 9, "lanes": 16})),
        ("transfer/peer-0-1", gpu(pcie={"generation": 5, "lanes": 16})),
        ("transfer/peer-0-3", JOINED),
        ("transfer/peer-1-2", JOINED),
        ("transfer/peer-0-1", replace(JOINED, arch="8.6")),
        ("transfer/zero-copy-gpu", JOINED),
    ],
)
def test_what_is_not_known_has_no_peak(tag: str, device: Device) -> None:
    assert peak_for(tag, device) is None


def test_a_copy_faster_than_its_link_is_above_the_limit() -> None:
    fast = measurement("transfer/h2d", 1.1 * PCIE_5)
    found = excess(fast, JOINED)
    assert found is not None
    assert "PCIe 5: 16 lanes" in found.sentence
    assert excess(measurement("transfer/h2d", 0.9 * PCIE_5), JOINED) is None
