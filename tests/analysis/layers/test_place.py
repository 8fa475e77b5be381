"""Where a layer stands is arithmetic: every figure here can be checked by hand."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest

from analysis.layers.alike import most_to_gain
from analysis.layers.place import placements, precisions, speed_of_light
from analysis.layers.placement import Placement
from analysis.model.ceilings import ceilings
from kernels.device import Device
from probes.records.measurement import SKIPPED, Measurement
from probes.records.run import csv_text
from tests.devices import CPU, GPU, measurement

ROOFS = [
    measurement("compute/fp32", 1e13),
    measurement("compute/fp16", 2e13),
    measurement("compute/fp16/wgmma-fp32", 1e14),
    measurement("compute/fp16/wgmma_sp-fp32", 2e14),
    measurement("bandwidth/l1/read", 1e13),
    measurement("bandwidth/l2/read", 4e12),
    measurement("bandwidth/dram/copy", 1e12),
    measurement("overhead/launch", bytes=None, flops=None, seconds_median=2e-6, dtype="int64"),
]


def layer(
    name: str, flops: float | None, moved: float | None, seconds: float, **changed: Any
) -> Measurement:
    """A row of a layer that moves ``moved`` bytes; ``changed``: its dtype and its other params."""
    dtype = changed.pop("dtype", "fp16")
    params = {
        "network": "net",
        "layer": name,
        "op": "Conv",
        "family": "convolution",
        "provider": "cuda",
        "working_set": moved,
        "warm": True,
        "launches": 1,
        "precision": dtype,
        **changed,
    }
    return measurement(
        "layer/convolution",
        flops=flops,
        bytes=moved,
        seconds_median=seconds,
        dtype=dtype,
        params=json.dumps(params),
    )


def place(
    *rows: Measurement, device: Device = GPU, roofs: list[Measurement] = ROOFS
) -> list[Placement]:
    """These layers on the roofs of a device."""
    return placements(rows, ceilings(roofs, device), device)


def test_columns_are_those_of_the_file() -> None:
    names = (
        "schema_version device started network layer op family dtype provider flops bytes "
        "intensity seconds rate bandwidth roof bound share headroom_seconds time_share params "
        "remark trusted doubt x slow_operations"
    )
    assert " ".join(column.name for column in fields(Placement)) == names
    assert csv_text(place(layer("a", 1e9, 1e9, 2e-3)), Placement).count("\n") == 2


def test_a_layer_on_the_slope_of_dram() -> None:
    (placement,) = place(layer("a", 2e9, 1e9, 1.25e-3))
    assert placement.intensity == 2.0
    assert placement.rate == pytest.approx(1.6e12)
    assert placement.bandwidth == pytest.approx(8e11)
    assert placement.roof == "bandwidth/dram"
    assert placement.bound == "dram"
    assert placement.share == pytest.approx(0.8)
    assert placement.headroom_seconds == pytest.approx(0.25e-3)
    assert (placement.network, placement.layer, placement.time_share) == ("net", "a", 1.0)
    assert placement.remark.startswith("raise intensity")


def test_the_compute_roof_is_the_fastest_dense_one_of_its_type() -> None:
    (placement,) = place(layer("a", 1e12, 1e9, 1.25e-2))
    assert placement.roof == "compute/fp16/wgmma-fp32"
    assert placement.bound == "compute"
    assert placement.share == pytest.approx(0.8)
    assert placement.remark == "lower precision: INT8"


@pytest.mark.parametrize(
    ("share", "says"),
    [
        (0.95, "at its roof: only less arithmetic gains"),
        (0.6, "in its least precision: another kernel saves 40 % at most, or less arithmetic"),
    ],
)
def test_a_layer_in_the_least_precision_is_advised_otherwise(share: float, says: str) -> None:
    rows = [measurement("compute/int8", 1e14), *ROOFS]
    (placement,) = place(layer("a", 1e12, 1e9, 1e-2 / share, dtype="int8"), roofs=rows)
    assert (placement.bound, placement.remark) == ("compute", says)


EXP2 = measurement("arithmetic/fp32/exp2", 1e11, dtype="fp32")
ROOT = measurement("arithmetic/fp32/sqrt", 5e10, dtype="fp32")


def test_exponentials_bound_a_layer_whose_bytes_and_flops_take_less() -> None:
    softmax = layer("a", 5e9, 8e8, 0.0125, op="Softmax", slow={"exp2": 1e9, "divide": 1e6})
    (placement,) = place(softmax, roofs=[*ROOFS, EXP2])
    assert (placement.roof, placement.bound) == ("arithmetic/fp32/exp2", "slow arithmetic")
    assert placement.share == pytest.approx(0.8), "1e9 / 1e11 of 12.5 ms"
    assert placement.slow_operations == pytest.approx(1.001e9)
    assert "exponentials" in placement.remark


def test_without_their_rates_a_layer_stands_where_it_stood() -> None:
    softmax = layer("a", 5e9, 8e8, 0.001, slow={"exp2": 1e9})
    plain = layer("a", 5e9, 8e8, 0.001)
    (with_slow,), (without,) = place(softmax), place(plain)
    assert (with_slow.roof, with_slow.share) == (without.roof, without.share)
    assert with_slow.roof == "bandwidth/dram"


def test_another_root_stands_in_for_the_reciprocal_one() -> None:
    norm = layer("a", 1e3, 1e3, 0.02, slow={"rsqrt": 5e8})
    (placement,) = place(norm, roofs=[*ROOFS, ROOT])
    assert (placement.roof, placement.share) == ("arithmetic/fp32/sqrt", pytest.approx(0.5))


def test_integers_look_their_answers_up() -> None:
    roofs = [*ROOFS, EXP2, measurement("compute/int8", 1e14)]
    (placement,) = place(layer("a", 1e3, 1e9, 0.002, dtype="int8", slow={"exp2": 1e9}), roofs=roofs)
    assert placement.roof == "bandwidth/dram"


def test_a_rate_that_is_not_trusted_gives_no_verdict() -> None:
    doubted = replace(EXP2, trusted=False, doubt="other load")
    (placement,) = place(layer("a", 1e3, 1e3, 0.02, slow={"exp2": 1e9}), roofs=[*ROOFS, doubted])
    assert (placement.roof, placement.share) == ("arithmetic/fp32/exp2", None)


@pytest.mark.parametrize(
    ("size", "warm", "roof"),
    [
        (40 << 20, True, "bandwidth/l2"),
        (40 << 20, False, "bandwidth/dram"),
        (60 << 20, True, "bandwidth/dram"),
    ],
)
def test_the_memory_roof_is_the_smallest_level_that_holds_it_if_warm(
    size: int, warm: bool, roof: str
) -> None:
    (placement,) = place(layer("a", 1e6, 1e8, 2e-4, working_set=size, warm=warm))
    assert placement.roof == roof


def test_a_gpu_keeps_nothing_in_l1_between_launches_a_cpu_does() -> None:
    small = layer("a", 1e3, 1e9, 1e-3, working_set=1024)
    gpu = replace(GPU, facts={"shared_bytes_per_multiprocessor": 1 << 17})
    caches = [
        {"level": 1, "type": "Data", "size_bytes": 32768, "shared_by": "0"},
        {"level": 2, "type": "Unified", "size_bytes": 1 << 20, "shared_by": "0-1"},
    ]
    cpu = replace(CPU, facts={"cpus": [0, 1], "caches": caches})
    assert place(small, device=gpu)[0].roof == "bandwidth/l2"
    assert place(small, device=cpu)[0].roof == "bandwidth/l1"
    both = layer("a", 1e3, 1e9, 1e-3, working_set=60000)  # more than one L1, within the two
    assert place(both, device=cpu)[0].roof == "bandwidth/l1"


def test_a_layer_shorter_than_its_launch_is_bound_by_it() -> None:
    (placement,) = place(layer("a", 1e6, 1e6, 3e-6))
    assert (placement.bound, placement.roof) == ("launch", "bandwidth/l2")
    assert "launch overhead" in placement.remark
    assert placement.headroom_seconds == pytest.approx(3e-6 - 1e6 / 4e12)
    (slow,) = place(layer("a", 1e6, 1e6, 5e-6))
    assert slow.bound == "below every roof", "the launch explains less than half of its time"
    (of_six,) = place(layer("a", 1e9, 1e7, 2e-5, launches=6))
    assert of_six.bound == "launch", "10 µs of roof, 12 µs of launches"


@pytest.mark.parametrize(
    ("run", "bound"), [("captured in a CUDA graph", "dram"), ("plain runs", "launch")]
)
def test_the_launch_overhead_is_that_of_the_way_a_layer_was_run(run: str, bound: str) -> None:
    seconds_by_tag = {"overhead/run/cuda": 1e-6, "overhead/call/cuda": 2e-5}
    overheads = [
        measurement(tag, bytes=None, flops=None, seconds_median=seconds, dtype="fp32")
        for tag, seconds in seconds_by_tag.items()
    ]
    row = replace(layer("a", 1e6, 1e7, 1.6e-5, run=run, warm=False), backend="cuda")
    assert place(row, roofs=[*ROOFS, *overheads])[0].bound == bound


def test_a_time_that_no_roof_explains_is_below_every_roof() -> None:
    (placement,) = place(layer("a", 1e9, 1e8, 1e-3))
    assert (placement.bound, placement.share) == ("below every roof", pytest.approx(0.1))
    assert "more work per launch" in placement.remark


def test_lost_tensor_cores_are_named_by_their_channels() -> None:
    (placement,) = place(layer("a", 1e9, 1e8, 1e-3, in_channels=64, out_channels=63))
    assert placement.remark == "align channels to 8: out_channels 63"
    (on_cpu,) = place(layer("a", 1e9, 1e8, 1e-3, in_channels=63, provider="cpu"))
    assert "align" not in on_cpu.remark


def test_a_layer_without_operations_stands_on_its_bandwidth() -> None:
    (placement,) = place(layer("a", 0.0, 1e9, 1.25e-3, op="Reshape"))
    assert placement.intensity == 0.0
    assert placement.rate == 0.0
    assert placement.bound == "dram"
    assert placement.share == pytest.approx(0.8)
    assert "remove this reformat" in placement.remark


def test_a_point_above_its_roof_is_named_and_explained() -> None:
    (cold,) = place(layer("a", 1e6, 1e8, 5e-5, warm=False))
    assert (cold.share, cold.headroom_seconds) == (pytest.approx(2.0), pytest.approx(-5e-5))
    assert (
        cold.remark
        == "100 % above bandwidth/dram: stated to be cold, yet a cache held part of its data"
    )
    (fast,) = place(layer("a", 1e12, 1e6, 5e-3))
    assert "above compute/fp16/wgmma-fp32: more operations are stated than ran" in fast.remark
    assert most_to_gain([cold, fast], 10) == []


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (layer("a", None, 1e9, 1e-3), "not placed: FLOPs unknown"),
        (layer("a", 1e9, None, 1e-3), "not placed: bytes unknown"),
        (layer("a", 1e9, 1e9, 1e-3, dtype="int8"), "not placed: it takes a measured roof of int8"),
        (layer("a", 0.0, 0.0, 1e-3), "not placed: it does no work"),
    ],
)
def test_a_layer_that_cannot_be_placed_says_why_and_is_never_ranked(
    row: Measurement, says: str
) -> None:
    (placement,) = place(row)
    assert placement.roof == ""
    assert placement.bound == ""
    assert placement.share is None
    assert placement.headroom_seconds is None
    assert says in placement.remark
    assert most_to_gain([placement], 10) == []


def test_rows_that_were_not_timed_or_are_no_layers_are_left_out() -> None:
    skipped = replace(layer("a", 1.0, 1.0, 1.0), status=SKIPPED)
    assert place(skipped, *ROOFS) == []
    assert place(layer("a", 1e9, 1e9, 1e-3), roofs=[])[0].bound == ""


def test_each_precision_has_a_speed_of_light() -> None:
    rows = [
        layer("a", 1e9, 1e9, 2e-3),
        layer("b", 1e9, 3e9, 4e-3),
        layer("c", None, 1e9, 1e-3),
        layer("a", 1e9, 2e9, 4e-3, dtype="fp32"),
    ]
    placed = place(*rows)
    half, single = speed_of_light(placed)
    assert (half.network, half.precision, half.layers) == ("net", "fp16", 3)
    assert (half.seconds, half.least_seconds) == (pytest.approx(7e-3), pytest.approx(5e-3))
    assert (half.unplaced_seconds, half.share) == (1e-3, pytest.approx(5 / 7))
    assert (single.precision, single.least_seconds) == ("fp32", pytest.approx(2e-3))
    time_shares = [placement.time_share for placement in placed]
    assert time_shares == pytest.approx([2 / 7, 4 / 7, 1 / 7, 1.0])


def test_the_ranking_is_by_time_to_gain_not_by_operations() -> None:
    placed = place(
        layer("big", 1e12, 1e9, 1.01e-2),
        layer("slow", 1e6, 1e9, 3e-3),
        layer("mid", 2e6, 1e9, 2e-3),  # other work than the slow one, else they were one
    )
    assert [group.longest.layer for group in most_to_gain(placed, 10)] == ["slow", "mid", "big"]
    assert [group.longest.layer for group in most_to_gain(placed, 1)] == ["slow"]


def test_int8_slower_than_fp16_is_flagged() -> None:
    rows = [
        layer("a", 1e9, 1e9, 2e-3),
        layer("a", 1e9, 1e9, 3e-3, dtype="int8"),
        layer("b", 1e9, 1e9, 2e-3),
    ]
    placed = place(*rows, roofs=[*ROOFS, measurement("compute/int8", 2e14)])
    flag = "INT8 is slower than FP16 (1.50 times)"
    flagged = [placement.remark.startswith(flag) for placement in placed]
    assert flagged == [False, True, False]
    ((key, by_dtype),) = precisions(placed).items()
    assert key == ("net", "a", "cuda")
    assert set(by_dtype) == {"fp16", "int8"}
