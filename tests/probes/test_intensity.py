"""The points of an intensity curve reach from its slope to far past its ridge, with their roof."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from kernels.device import Device
from probes import bandwidth, compute, intensity, tensor_core
from probes.harness.case import Case
from probes.records.tag import Sweep, Tag
from tests.devices import CPU, GPU

SWEEP = "sweep/compute/intensity/"


def points_on(device: Device) -> list[Case]:
    """The points of all curves of a device."""
    return [case for case in intensity.cases(device) if case.ceiling.startswith(SWEEP)]


def anchors_on(device: Device) -> list[Case]:
    """The cases that measure the roof above these points."""
    return [case for case in intensity.cases(device) if not case.ceiling.startswith(SWEEP)]


@pytest.mark.parametrize(
    "device", [CPU, GPU, replace(GPU, arch="8.9"), replace(GPU, clock_hz=None)]
)
def test_points_reach_from_far_below_the_ridge_to_far_above(device: Device) -> None:
    all_points = points_on(device)
    for flat in intensity.FLATS[device.kind]:
        dtype, on_tensor_cores = flat.operands, bool(flat.path)
        points = [
            case for case in all_points if isinstance(case.tag, Sweep) and case.tag.flat == flat
        ]
        x = [case.x or 0.0 for case in points]
        assert x == sorted(set(x))
        assert x[0] == (1 if on_tensor_cores else 1 / 16), (
            "a warp of a tensor core leaves out whole vectors, of eight"
        )
        columns = points[0].params.get("columns", 1)
        once = points[0].kernel.work(dtype, n=1, k=1, columns=columns)
        ridge = intensity.ridge(device, dtype) * once.flops / once.bytes
        assert x[-1] >= 0.9 * intensity.PAST_RIDGE * ridge
        near = [place for place in x if ridge / intensity.FAR <= place <= ridge * intensity.FAR]
        # Steps are of about two, and of twice that far from the ridge; those of tensor cores are
        # rounded to whole vectors.
        largest_step_near = max(right / left for left, right in pairwise(near))
        largest_step = max(right / left for left, right in pairwise(x))
        assert largest_step_near <= (3 if on_tensor_cores else 2.2)
        assert largest_step <= (6 if on_tensor_cores else 4.4)
        for case in points:
            work = case.kernel.work(dtype, **case.params)
            assert work.flops / work.bytes == pytest.approx(case.x)


@pytest.mark.parametrize("device", [CPU, GPU])
def test_the_roof_is_measured_as_the_other_probes_measure_it(device: Device) -> None:
    anchors = anchors_on(device)
    cases_of_others = [*compute.cases(device), *tensor_core.cases(device), *bandwidth.cases(device)]
    assert all(anchor in cases_of_others for anchor in anchors)
    roofs = {*intensity.FLATS[device.kind], intensity.SLOPE}
    assert {anchor.tag for anchor in anchors} == roofs


def test_every_way_to_read_memory_is_asked_since_any_may_be_the_roof() -> None:
    anchors = [case for case in intensity.cases(GPU) if case.tag == intensity.SLOPE]
    assert anchors == [case for case in bandwidth.cases(GPU) if case.tag == intensity.SLOPE]
    ways = {(case.backend, str(case.params)) for case in anchors}
    assert len(ways) > 1


def test_points_of_a_cpu_are_timed_in_turn_with_the_roof_of_their_own_type() -> None:
    for case in points_on(CPU):
        roofs = {Tag("compute", case.dtype), intensity.SLOPE}
        assert {other.tag for other in case.beside} == roofs
    assert not any(case.beside for case in intensity.cases(GPU)), "a GPU is this program's alone"


def test_blocks_of_a_gpu_get_equal_shares_only_where_memory_keeps_none_waiting() -> None:
    for case in points_on(GPU):
        is_past_the_ridge = case.params["k"] > 2 * intensity.ridge(GPU, case.dtype)
        assert bool(case.params["equal"]) == is_past_the_ridge


def test_a_type_the_gpu_lacks_is_skipped_with_the_reason() -> None:
    points = points_on(replace(GPU, arch="7.5"))
    skips = {case.dtype: case.skip for case in points}
    assert skips["bf16"] == "sm_75 has no bf16 multiply-add (since 8.0)"
    assert skips["fp32"] == ""
    tensor_skips = {case.skip for case in points if case.ceiling == SWEEP + "fp16-mma-fp32"}
    assert tensor_skips == {"sm_75 has no fp16 mma.m16n8k16 (since 8.0)"}


@pytest.mark.parametrize(
    "device", [replace(CPU, last_cache_bytes=384 << 20), replace(GPU, last_cache_bytes=96 << 20)]
)
def test_arrays_stay_past_the_last_cache(device: Device) -> None:
    rounding = 0.7 if device.kind == "cuda" else 0.99  # a GPU's tiles are a power of two
    for case in points_on(device):
        size = case.kernel.memory_bytes(case.dtype, case.params)
        is_far_past = case.params["k"] > intensity.FAR * intensity.ridge(device, case.dtype)
        past_cache = bandwidth.LEAST_PAST_CACHE if is_far_past else bandwidth.PAST_CACHE
        least = past_cache[device.kind] * (device.last_cache_bytes or 0)
        assert size >= rounding * least
