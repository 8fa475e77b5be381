"""What stages and borders take: measured where they were timed, predicted and marked elsewhere."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analysis.plan.borders import Borders, interpolated
from analysis.plan.costs import costs
from tests.analysis.plan import rows
from tests.analysis.plan.rows import US


def test_a_timed_stage_has_the_time_of_its_main_node_and_the_interval() -> None:
    cost = costs(rows.STAGES, rows.timings(rows.layers())).of("conv", "int8")
    assert cost.seconds == pytest.approx(21 * US)
    assert cost.interval == pytest.approx((0.998 * 21 * US, 1.002 * 21 * US))
    assert cost.measured and cost.has_kernel


def test_a_relu_of_a_stage_costs_nothing_more() -> None:
    relu = rows.layer("relu", "fp32", 9 * US)
    cost = costs(rows.STAGES, rows.timings([*rows.layers(), relu])).of("conv", "fp32")
    assert cost.seconds == pytest.approx(52 * US)


def test_the_floor_is_that_of_the_placement() -> None:
    known = costs(rows.STAGES, rows.timings(rows.layers()))
    assert known.of("conv", "fp32").floor_seconds == pytest.approx(1e6 / 1e12)
    assert known.of("conv", "int8").floor_seconds == pytest.approx(1e6 / 4e12)


def test_what_the_provider_has_no_kernel_for_is_no_choice_and_says_why() -> None:
    reason = "Conv: no int8 form of it"
    skipped = rows.layer("conv", "int8", None, reason=reason)
    timings = rows.timings([rows.layer("conv", "fp32", 52 * US), skipped, *rows.CONVERSIONS])
    cost = costs(rows.STAGES, timings).of("conv", "int8")
    assert not cost.has_kernel and not cost.allowed
    assert cost.reason == reason
    # as in FP32, between a DQ and a Q
    assert cost.seconds == pytest.approx(52 * US + 1 * US + 2 * US)


def test_what_ran_in_another_type_has_no_kernel() -> None:
    fp32 = rows.layer("conv", "fp32", 52 * US)
    other = rows.layer("conv", "int8", 52 * US, params={"other_type": True}, reason="it ran Conv")
    cost = costs(rows.STAGES, rows.timings([fp32, other])).of("conv", "int8")
    assert not cost.allowed
    assert cost.reason == "it ran Conv"


def test_an_untimed_precision_is_predicted_by_what_the_roofs_spare() -> None:
    cost = costs(rows.STAGES, rows.timings([rows.layer("conv", "fp32", 52 * US)])).of(
        "conv", "int8"
    )
    assert not cost.measured and cost.allowed
    assert cost.seconds == pytest.approx(52 * US - 1e6 / 1e12 + 1e6 / 4e12)


def test_a_stage_that_was_never_timed_takes_its_floor() -> None:
    cost = costs(rows.STAGES, rows.timings([])).of("fc", "fp32")
    assert cost.seconds == cost.floor_seconds == pytest.approx(1e6 / 1e12)
    assert not cost.measured


def test_a_trusted_row_speaks_before_one_that_is_not() -> None:
    doubted = rows.layer("conv", "fp32", 99 * US, trusted=False, doubt="disturbed")
    good = rows.layer("conv", "fp32", 52 * US)
    for pair in ([doubted, good], [good, doubted]):
        cost = costs(rows.STAGES, rows.timings(pair)).of("conv", "fp32")
        assert cost.seconds == pytest.approx(52 * US)


def test_rows_of_other_networks_and_providers_say_nothing() -> None:
    other_network = rows.layer("conv", "fp32", 1 * US, params={"network": "other"})
    other_provider = rows.layer("conv", "fp32", 1 * US, params={"provider": "cuda"})
    timings = rows.timings([other_network, other_provider])
    assert not costs(rows.STAGES, timings).of("conv", "fp32").measured


def test_a_conversion_is_read_between_two_sizes_on_logarithms() -> None:
    curve = [(100.0, 1.0), (10000.0, 4.0)]
    assert interpolated(curve, 1000) == pytest.approx(2.0)
    assert interpolated(curve, 100) == 1.0
    assert interpolated(curve, 10000) == pytest.approx(4.0)


def test_below_the_smallest_size_a_launch_bounds_and_above_the_largest_time_grows() -> None:
    curve = [(100.0, 1.0), (10000.0, 4.0)]
    assert interpolated(curve, 1) == 1.0
    assert interpolated(curve, 20000) == pytest.approx(8.0)


def test_a_conversion_without_rows_is_its_bytes_over_the_roof_of_memory() -> None:
    border = Borders({}, bandwidth=rows.DRAM, launch_seconds=1e-6).cost("fp32", "int8", 1000)
    assert border.seconds == pytest.approx(1e-6 + 5000 / rows.DRAM)
    assert not border.measured


def test_without_rows_and_roof_nothing_is_known_of_a_conversion() -> None:
    assert Borders({}).cost("fp32", "int8", 1000).seconds is None


def test_each_change_of_precision_has_its_series() -> None:
    curves = {"quantize": [(1, 1.0)], "dequantize": [(1, 2.0)]}
    curves |= {"fp32-to-fp16": [(1, 4.0)], "fp16-to-fp32": [(1, 8.0)]}
    conversions = Borders(curves)
    expected = {
        ("fp32", "int8"): 1.0,
        ("fp16", "int8"): 1.0,
        ("int8", "fp32"): 2.0,
        ("int8", "fp16"): 2.0,
        ("fp32", "bf16"): 4.0,
        ("fp16", "fp32"): 8.0,
        ("int8", "fp8"): 3.0,
        ("int8", "int8"): 0.0,
    }
    for (source, target), seconds in expected.items():
        assert conversions.cost(source, target, 1).seconds == seconds


def test_doubted_times_of_a_conversion_speak_only_where_no_others_do() -> None:
    doubted = [replace(row, trusted=False) for row in rows.CONVERSIONS]
    alone = costs(rows.STAGES, rows.timings(doubted)).borders
    assert alone.cost("fp32", "int8", 1000).seconds == pytest.approx(2 * US)
    trusted = rows.conversion("quantize", 1000, 3 * US)
    both = costs(rows.STAGES, rows.timings([*doubted, trusted])).borders
    assert both.cost("fp32", "int8", 1000).seconds == pytest.approx(3 * US)
