"""The points of the intensity curve: from below the slope to far past the ridge, with the roof's
own anchors.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from kernels.device import Device
from probes import bandwidth, compute, intensity, tensor_core
from probes.records.tag import Sweep, Tag
from tests.devices import CPU, GPU

SWEEP = "sweep/compute/intensity/"


@pytest.mark.parametrize(
    "device", [CPU, GPU, replace(GPU, arch="8.9"), replace(GPU, clock_hz=None)]
)
def test_points_reach_from_far_below_the_ridge_to_far_above(device: Device) -> None:
    found = [c for c in intensity.cases(device) if c.ceiling.startswith(SWEEP)]
    for flat in intensity.FLATS[device.kind]:
        dtype, path = flat.operands, flat.path
        points = [c for c in found if isinstance(c.tag, Sweep) and c.tag.flat == flat]
        x = [c.x or 0.0 for c in points]
        assert x == sorted(set(x))
        assert x[0] == (1 if path else 1 / 16), (
            "a warp of a tensor core leaves out whole vectors, of eight"
        )
        once = points[0].kernel.work(dtype, n=1, k=1, columns=points[0].params.get("columns", 1))
        ridge = intensity.ridge(device, dtype) * once.flops / once.bytes
        assert x[-1] >= 0.9 * intensity.PAST_RIDGE * ridge
        near = [a for a in x if ridge / intensity.FAR <= a <= ridge * intensity.FAR]
        assert max(b / a for a, b in pairwise(near)) <= (3 if path else 2.2)
        assert max(b / a for a, b in pairwise(x)) <= (6 if path else 4.4)
        for case in points:
            work = case.kernel.work(dtype, **case.params)
            assert work.flops / work.bytes == pytest.approx(case.x)


@pytest.mark.parametrize("device", [CPU, GPU])
def test_the_roof_is_measured_as_the_other_probes_measure_it(device: Device) -> None:
    anchors = [c for c in intensity.cases(device) if not c.ceiling.startswith(SWEEP)]
    known = [*compute.cases(device), *tensor_core.cases(device), *bandwidth.cases(device)]
    assert all(anchor in known for anchor in anchors)
    roofs = {*intensity.FLATS[device.kind], intensity.SLOPE}
    assert {anchor.tag for anchor in anchors} == roofs


def test_every_way_to_read_memory_is_asked_since_any_may_be_the_roof() -> None:
    anchors = [c for c in intensity.cases(GPU) if c.tag == intensity.SLOPE]
    assert anchors == [c for c in bandwidth.cases(GPU) if c.tag == intensity.SLOPE]
    assert len({(c.backend, str(c.params)) for c in anchors}) > 1


def test_points_of_a_cpu_are_timed_in_turn_with_the_roof_of_their_own_type() -> None:
    for case in intensity.cases(CPU):
        if case.ceiling.startswith(SWEEP):
            roofs = {Tag("compute", case.dtype), intensity.SLOPE}
            assert {other.tag for other in case.beside} == roofs
    assert not any(case.beside for case in intensity.cases(GPU)), "a GPU is this program's alone"


def test_blocks_of_a_gpu_get_equal_shares_only_where_memory_keeps_none_waiting() -> None:
    for case in intensity.cases(GPU):
        if case.ceiling.startswith(SWEEP):
            past = case.params["k"] > 2 * intensity.ridge(GPU, case.dtype)
            assert bool(case.params["equal"]) == past


def test_a_type_the_gpu_lacks_is_skipped_with_the_reason() -> None:
    skips = {
        c.dtype: c.skip
        for c in intensity.cases(replace(GPU, arch="7.5"))
        if c.ceiling.startswith(SWEEP)
    }
    assert skips["bf16"] == "sm_75 has no bf16 multiply-add (since 8.0)"
    assert skips["fp32"] == ""
    old = [
        c.skip
        for c in intensity.cases(replace(GPU, arch="7.5"))
        if c.ceiling == SWEEP + "fp16-mma-fp32"
    ]
    assert set(old) == {"sm_75 has no fp16 mma.m16n8k16 (since 8.0)"}


@pytest.mark.parametrize(
    "device", [replace(CPU, last_cache_bytes=384 << 20), replace(GPU, last_cache_bytes=96 << 20)]
)
def test_arrays_stay_past_the_last_cache(device: Device) -> None:
    for case in intensity.cases(device):
        if case.ceiling.startswith(SWEEP):
            size = case.kernel.memory_bytes(case.dtype, case.params)
            far = case.params["k"] > intensity.FAR * intensity.ridge(device, case.dtype)
            past = bandwidth.LEAST_PAST_CACHE if far else bandwidth.PAST_CACHE
            least = past[device.kind] * (device.last_cache_bytes or 0)
            assert size >= (0.7 if device.kind == "cuda" else 0.99) * least, (
                "a power of two of tiles, up or down"
            )
