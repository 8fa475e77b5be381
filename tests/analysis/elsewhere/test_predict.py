"""A bound by theory, and an estimate at the same share of the roofs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.elsewhere.predict import LARGEST_GPU_CACHE, bound_of, predict
from analysis.elsewhere.work import CONVOLUTION
from tests.analysis.elsewhere.made_up import GIGA, by_theory, layer, machine, network

HERE = machine("here", 1000 * GIGA, 100 * GIGA)
THERE = machine("there", 100 * GIGA, 50 * GIGA)


def test_at_the_same_share_of_the_roof_a_tenth_of_the_rate_takes_ten_times_as_long() -> None:
    prediction = predict(network(layer(8 * GIGA, 1.0, 0.02)), HERE, THERE)
    assert prediction.share_here == pytest.approx(0.5)  # 8 GFLOP at 800 GFLOP/s take 10 ms
    assert prediction.estimate == pytest.approx(0.2)


def test_each_layer_stands_under_its_own_roof() -> None:
    arithmetic = layer(8 * GIGA, 1.0, 0.02)
    memory = layer(1.0, 0.8 * GIGA, 0.02)  # 10 ms here, 20 ms there
    prediction = predict(network(arithmetic, memory), HERE, THERE)
    roofs = [placed.roof_there for placed in prediction.placed]
    assert roofs == ["compute/fp32", "bandwidth/dram"]
    assert prediction.floor_there == pytest.approx(0.1 + 0.02)
    assert prediction.estimate == pytest.approx(0.12 / 0.5)


def test_a_network_in_one_go_is_estimated_from_its_own_time() -> None:
    prediction = predict(network(layer(8 * GIGA, 1.0, 0.02), seconds=0.0125), HERE, THERE)
    assert prediction.share_here == pytest.approx(0.8)
    assert prediction.estimate == pytest.approx(0.125)


def test_the_bound_is_of_theory_not_of_roofs() -> None:
    bound = predict(network(layer(8 * GIGA, 1.0, 0.02)), HERE, THERE).bound
    assert bound.seconds == pytest.approx(0.08)
    assert bound.holds == "arithmetic"


def test_the_bound_of_a_convolution_leaves_room_for_winograd() -> None:
    work = layer(9 * GIGA, 1.0, 0.1, family=CONVOLUTION, window=9.0)
    assert bound_of(network(work), THERE).seconds == pytest.approx(0.01)


def test_a_convolution_whose_window_is_unknown_bounds_nothing() -> None:
    work = layer(9 * GIGA, 1.0, 0.1, family=CONVOLUTION)
    bound = bound_of(network(work), THERE)
    assert bound.seconds is None
    assert bound.why_none == "the windows of its convolutions are not known (--model tells them)"


def test_layers_that_may_be_fused_away_bound_nothing() -> None:
    work = layer(9 * GIGA, 9 * GIGA, 0.1, family="activation", op="Relu")
    assert bound_of(network(work), THERE).seconds is None


def test_caches_may_keep_what_fits_them_from_run_to_run() -> None:
    work = layer(1.0, 1.0, 0.1)
    moved = 5 * GIGA
    assert bound_of(network(work, seconds=1.0, moved=1000.0), THERE).holds == "arithmetic"
    bound = bound_of(network(work, seconds=1.0, moved=moved), THERE)
    assert bound.holds == "memory"
    assert bound.seconds == pytest.approx((moved - 1000) / (50 * GIGA))


def test_a_gpu_whose_cache_is_unknown_may_have_the_largest_there_is() -> None:
    device = replace(THERE.device, last_cache_bytes=None)
    there = replace(THERE, device=device)
    bound = bound_of(network(layer(1.0, 1.0, 0.1), seconds=1.0, moved=5 * GIGA), there)
    assert bound.seconds == pytest.approx((5 * GIGA - LARGEST_GPU_CACHE) / (50 * GIGA))


def test_unknown_theory_gives_no_bound_and_says_so() -> None:
    bound = bound_of(network(layer(8 * GIGA, 1.0, 0.02)), replace(THERE, limits={}))
    assert bound.seconds is None
    assert bound.why_none == "the theory of there is not known"


def test_a_type_without_a_roof_there_has_no_estimate() -> None:
    prediction = predict(network(layer(8 * GIGA, 1.0, 0.02, dtype="fp8")), HERE, THERE)
    assert prediction.estimate is None
    assert prediction.why_none == "there is no measured roof there for layers in FP8"


def test_few_layers_without_work_do_not_prevent_an_estimate() -> None:
    unknown = replace(layer(1.0, 1.0, 0.001), flops=None)
    prediction = predict(network(layer(8 * GIGA, 1.0, 0.02), unknown), HERE, THERE)
    assert prediction.estimate == pytest.approx(0.1 / (0.01 / 0.021))


def test_theory_there_is_compared_with_theory_here() -> None:
    there = by_theory("there", 100 * GIGA, 50 * GIGA)
    prediction = predict(network(layer(8 * GIGA, 1.0, 0.02)), HERE.in_theory, there)
    assert prediction.share_here == pytest.approx(0.4)
    assert prediction.estimate == pytest.approx(0.08 / 0.4)


def test_no_estimate_is_below_the_bound() -> None:
    # a point above its roof here, as data in a cache that theory does not know
    there = by_theory("there", 100 * GIGA, 50 * GIGA)
    prediction = predict(network(layer(8 * GIGA, 1.0, 0.002)), HERE.in_theory, there)
    assert prediction.estimate == prediction.bound.seconds


RATES = st.floats(1e9, 1e15)
AMOUNTS = st.floats(1.0, 1e13)


@given(
    amounts=st.lists(st.tuples(AMOUNTS, AMOUNTS), min_size=1, max_size=5),
    here=st.tuples(RATES, RATES, st.floats(0.01, 1.0)),
    there=st.tuples(RATES, RATES, st.floats(0.01, 1.0)),
    share=st.floats(0.01, 1.0),
)
def test_whoever_obeys_theory_never_breaks_the_bound(
    amounts: list[tuple[float, float]],
    here: tuple[float, float, float],
    there: tuple[float, float, float],
    share: float,
) -> None:
    """Machines that reach some share of their roofs, in one go as layer by layer."""
    left, right = machine("here", *here), machine("there", *there)
    layers = [layer(flops, moved, 1.0) for flops, moved in amounts]
    floor = predict(network(*layers), right, right).floor_there
    ran = network(*layers, seconds=floor / share, moved=sum(moved for _, moved in amounts))
    bound = bound_of(ran, right).seconds
    assert bound is not None
    assert bound <= ran.seconds * (1 + 1e-9)
    prediction = predict(ran, left, right)
    assert prediction.estimate is not None
    assert prediction.estimate >= bound * (1 - 1e-9)


def test_layers_of_unknown_work_are_the_reason_not_the_roofs() -> None:
    known = layer(8 * GIGA, 1.0, 0.02)
    unknown = replace(layer(1.0, 1.0, 0.03, op="Resize"), flops=None)
    prediction = predict(network(known, unknown), HERE, THERE)
    assert prediction.estimate is None
    assert prediction.why_none == (
        "the work of layers that take 60.0 % of the time is unknown (Resize)"
    )
    without_roof = replace(layer(8 * GIGA, 1.0, 0.05), dtype="fp16")
    both = predict(network(known, unknown, without_roof), HERE, THERE)
    assert both.why_none.startswith("there is no measured roof there for layers in FP16, and the")
