"""How far estimates are off, by leaving each device out in turn."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analysis.atlas.devices import devices_of
from analysis.atlas.entry import read_atlas
from analysis.elsewhere.left_out import Known, as_measured, in_theory, leave_out_each
from analysis.elsewhere.machine import product
from analysis.elsewhere.predict import bound_of
from tests.analysis.elsewhere.made_up import GIGA, layer, machine, network


def known(number: int, seconds: float) -> Known:
    """Device ``number``, which has so many times 100 GFLOP/s, and its time for 8 GFLOP."""
    there = machine(f"device {number}", number * 100 * GIGA, 100 * GIGA)
    return Known(there, (network(layer(8 * GIGA, 1.0, seconds)),))


def test_devices_used_equally_well_are_estimated_without_error() -> None:
    error = leave_out_each([known(number, 0.2 / number) for number in (1, 2, 4)])
    assert error.devices == 3
    assert error.span == pytest.approx((1.0, 1.0))


def test_a_device_that_is_used_half_as_well_is_taken_for_faster_than_it_is() -> None:
    error = leave_out_each([known(1, 0.4), known(2, 0.1), known(4, 0.05)])
    by_device = {case.device: case.ratio for case in error.cases}
    assert by_device["cuda device 1 9.0 100"] == pytest.approx(0.5)
    assert error.span[1] == pytest.approx(1.5)  # the median of 1 and 2


def test_fewer_than_five_devices_have_no_error_bars() -> None:
    four = leave_out_each([known(number, 0.2 / number) for number in (1, 2, 3, 4)])
    assert four.bars(1.0) is None
    five = leave_out_each([known(number, 0.2 / number) for number in (1, 2, 3, 4, 5)])
    assert five.bars(1.0) == pytest.approx((1.0, 1.0))


def test_two_generations_of_one_name_are_two_devices() -> None:
    first, second = known(1, 0.2), known(2, 0.1)
    device = replace(second.machine.device, name="device 1", arch="10.0")
    second = replace(second, machine=replace(second.machine, name="device 1", device=device))
    assert leave_out_each([first, second]).devices == 2


def test_networks_that_no_other_device_ran_say_nothing() -> None:
    assert leave_out_each([known(1, 0.2)]).devices == 0


@pytest.mark.parametrize("roofs", [as_measured, in_theory])
def test_no_bound_is_broken_where_committed_devices_are_left_out(roofs) -> None:  # type: ignore[no-untyped-def]
    devices = [device.known for device in devices_of(read_atlas())]
    for device in devices:
        for net in device.networks:
            bound = bound_of(net, roofs(device.machine))
            layers = sum(work.seconds for work in net.layers)
            name = f"{net.name} in {net.precision} on {device.machine.name}"
            assert (bound.seconds or 0.0) <= min(net.seconds, layers), name
    for case in leave_out_each(devices, roofs).cases:
        assert (case.bound or 0.0) <= min(case.seconds, case.estimate), case


@pytest.mark.parametrize(
    ("device", "named"),
    [("NVIDIA H100 80GB HBM3", "NVIDIA H100 SXM"), ("NVIDIA H200", "NVIDIA H200")],
)
def test_the_bound_of_a_product_holds_for_the_device_that_was_measured(
    device: str, named: str
) -> None:
    there = product(named)
    (measured,) = [known for known in devices_of(read_atlas()) if known.name == device]
    assert measured.networks
    for net in measured.networks:
        bound = bound_of(net, there)
        assert bound.seconds is not None
        assert bound.seconds <= net.seconds


def test_some_committed_network_has_a_bound() -> None:
    devices = [device.known for device in devices_of(read_atlas())]
    bounds = [bound_of(net, device.machine) for device in devices for net in device.networks]
    assert any(bound.seconds for bound in bounds)
