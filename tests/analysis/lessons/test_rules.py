"""Rules on floats and on the hardware: each can hold and fail by its rows alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from analysis.draw.files import svg_and_png
from analysis.draw.lessons import figure
from analysis.lessons.frame.lesson import all_lessons
from analysis.lessons.frame.trial import FAILS, HOLDS, UNDECIDED, UNTRIED, Trial
from kernels.device import Device
from probes.records.measurement import Measurement
from tests.analysis.lessons.rows import MICROSECOND, evidence, layer
from tests.devices import CPU, GPU, measurement

COMPUTE, MEMORY = 2e11, 2e10
"""Roofs: operations and bytes a second. A megabyte takes 50 microseconds."""
FLAT = measurement("compute/fp32", COMPUTE, probe="compute", clock_hz=None)
READ = measurement("bandwidth/dram/read", MEMORY, probe="bandwidth", kernel="read")
ROOFS = (FLAT, READ)
Rows = Sequence[Measurement]


def timed(tag: str, probe: str, microseconds: float, **changed: Any) -> Measurement:
    """A row of a million bytes or operations that took so long."""
    seconds = microseconds * MICROSECOND
    values: dict[str, Any] = {
        "probe": probe,
        "flops": 1e6,
        "bytes": 1e6,
        "seconds_median": seconds,
        "seconds_low": seconds,
        "seconds_high": seconds,
    }
    return measurement(tag, **(values | changed))


def curve(tag: str, probe: str, times: dict[float, float]) -> list[Measurement]:
    """Points of a sweep: microseconds by place."""
    return [timed(tag, probe, time, x=x) for x, time in times.items()]


def ladder(
    sweep: str, series: str, *steps: tuple[float, float, float], dtype: str = "fp32"
) -> list[Measurement]:
    """Layers on roofs: (place, operations in millions, microseconds)."""
    layers = [layer(sweep, series, x, time, dtype, flops=1e6 * work) for x, work, time in steps]
    return [*ROOFS, *layers]


def light(microseconds: float) -> list[Measurement]:
    """Light layers of a million bytes."""
    names = {"light": ("Add", "Relu"), "rows": ("LayerNormalization", "Softmax", "Gelu")}
    layers = [
        layer(sweep, series, 112 if sweep == "light" else 1024, microseconds)
        for sweep, several in names.items()
        for series in several
    ]
    return [*ROOFS, *layers]


def fully_connected(one: float, sixteen: float, many: float) -> list[Measurement]:
    """Microseconds at each batch."""
    times = {1: one, 16: sixteen, 128: many}
    layers = [
        layer("fc", f"batch {batch}", 2048, time, flops=1e6 * batch)
        for batch, time in times.items()
    ]
    return [*ROOFS, *layers]


def below_ridge(sixteen: float) -> list[Measurement]:
    """Layers of which batch 16, which takes so long, lies left of the ridge."""
    rows = fully_connected(60, sixteen, 5000)
    return [replace(row, flops=(row.flops or 0) / 2) if row.layer else row for row in rows]


def streams(scale: float, add: float, triad: float) -> list[Measurement]:
    """Microseconds of each stream."""
    times = {"scale": (2e6, scale), "add": (3e6, add), "triad": (3e6, triad)}
    return [
        timed(f"bandwidth/dram/{name}", "bandwidth", time, kernel=name, bytes=size)
        for name, (size, time) in times.items()
    ]


def matmul(rate: float) -> list[Measurement]:
    """A product of so many operations a second."""
    return [FLAT, layer("matmul", "square", 1024, 100.0, flops=rate * 100 * MICROSECOND)]


def split(microseconds: float) -> list[Measurement]:
    """A dense convolution of 800 microseconds, and the split one."""
    return [
        layer("separable", "dense 3x3", 256, 800.0, flops=8e6),
        layer("separable", "depthwise + pointwise", 256, microseconds, flops=1e6),
    ]


def aligned(beside: float) -> list[Measurement]:
    """32 channels take 100 microseconds, those beside them as long as is said."""
    times = {31: beside, 32: 100.0, 33: beside}
    return [layer("alignment", "Conv 3x3", x, time) for x, time in times.items()]


def small(microseconds: float) -> list[Measurement]:
    """A least run of 3 microseconds, and a small layer."""
    least = timed("overhead/run/cpu", "layers", 3.0, backend="cpu", flops=None, bytes=None)
    return [least, layer("fc", "batch 1", 256, microseconds)]


def levels(l2_rate: float) -> list[Measurement]:
    """A cache over main memory, and the sweep."""
    sweep = curve("sweep/bandwidth/working-set/read", "cache", {4096: 1.0, 8192: 2.0})
    return [READ, measurement("bandwidth/l2/read", l2_rate, probe="cache"), *sweep]


def intensities(share: float) -> list[Measurement]:
    """Points below and above the ridge at ten, at this share of their roof."""
    points = []
    for x in (1.0, 100.0):
        seconds = 1e6 / (share * min(COMPUTE, MEMORY * x))
        points.append(
            timed("sweep/compute/intensity/fp32", "intensity", seconds / MICROSECOND, x=x)
        )
    return [*ROOFS, *points]


STRIDE = "sweep/bandwidth/stride/read-fp32"
GATHER = "sweep/bandwidth/gather/read"
CHASE = "sweep/latency/working-set/chase"
CHAINS = "sweep/compute/chains/fp32-1core"
THREADS = "sweep/bandwidth/threads/read"

BOTH_WAYS: dict[str, tuple[Rows, Rows]] = {
    "kernel-size": (
        ladder("conv-kernel", "depthwise", (1, 1, 100), (7, 49, 200)),
        ladder("conv-kernel", "depthwise", (1, 1, 100), (7, 49, 4900)),
    ),
    "channels": (
        ladder("conv-channels", "1x1", (8, 1, 100), (512, 64, 200)),
        ladder("conv-channels", "1x1", (8, 1, 100), (512, 64, 6400)),
    ),
    "output-size": (
        ladder("conv-size", "3x3", (7, 10, 100), (14, 20, 100), (112, 20.5, 50)),
        ladder("conv-size", "3x3", (7, 10, 100), (14, 20, 200), (112, 20.5, 210)),
    ),
    "pointwise": (
        ladder("conv-size", "1x1", (112, 16, 60)),
        ladder("conv-size", "1x1", (112, 16, 500)),
    ),
    "depthwise": (
        ladder("conv-kernel", "depthwise", (3, 2, 60)),
        ladder("conv-kernel", "depthwise", (3, 2, 500)),
    ),
    "light-layers": (light(60), light(500)),
    "batch-fc": (fully_connected(60, 70, 500), fully_connected(500, 600, 5000)),
    "batch-free": (below_ridge(70), below_ridge(600)),
    "reshapes": (
        ladder("reshapes", "6 convs 3x3", (0, 20, 100), (5, 10, 150)),
        ladder("reshapes", "6 convs 3x3", (0, 20, 100), (5, 10, 80)),
    ),
    "flops-rank": (
        ladder("conv-size", "3x3", (7, 1, 100), (112, 10, 50)),
        ladder("conv-size", "3x3", (7, 1, 100), (112, 10, 500)),
    ),
    "separable": (split(100), split(400)),
    "multiples": (aligned(150), aligned(100)),
    "peak-compute": (matmul(0.8 * COMPUTE), matmul(2 * COMPUTE)),
    "launch": (small(4), small(30)),
    "fusion": (streams(200, 300, 300), streams(100, 150, 300)),
    "levels": (levels(5 * MEMORY), levels(0.5 * MEMORY)),
    "stride": (
        curve(STRIDE, "bandwidth", {1: 50, 16: 800}),
        curve(STRIDE, "bandwidth", {1: 50, 16: 60}),
    ),
    "gather": (
        curve(GATHER, "bandwidth", {8: 800, 4096: 50}),
        curve(GATHER, "bandwidth", {8: 60, 4096: 50}),
    ),
    "latency": (
        curve(CHASE, "latency", {4096: 1, 1 << 30: 100}),
        curve(CHASE, "latency", {4096: 1, 1 << 30: 2}),
    ),
    "in-flight": (
        curve(CHAINS, "in_flight", {1: 80, 8: 10}),
        curve(CHAINS, "in_flight", {1: 10, 8: 10}),
    ),
    "parallel-memory": (
        curve(THREADS, "bandwidth", {1: 80, 2: 40}),
        curve(THREADS, "bandwidth", {1: 40, 2: 40}),
    ),
    "roofline": (intensities(0.95), intensities(0.3)),
}
"""Rows on which each lesson holds, and rows on which it fails."""


def tried(name: str, rows: Rows, device: Device = CPU) -> Trial:
    """What these rows say of a lesson."""
    return all_lessons()[name].trial(evidence(rows, device))


@pytest.mark.parametrize("name", BOTH_WAYS)
def test_rows_decide(name: str) -> None:
    holding, failing = BOTH_WAYS[name]
    trial = tried(name, holding)
    assert (trial.verdict, trial.reason) == (HOLDS, "")
    assert trial.evidence and trial.chart
    trial = tried(name, failing)
    assert (trial.verdict, trial.reason) == (FAILS, "")


@pytest.mark.parametrize("name", BOTH_WAYS)
def test_rows_that_cannot_be_trusted_decide_nothing(name: str) -> None:
    holding, _ = BOTH_WAYS[name]
    doubted = [replace(row, trusted=False, doubt="made up") for row in holding]
    trial = tried(name, doubted)
    assert trial.verdict == UNDECIDED
    assert "made up" in trial.reason


def test_a_batch_past_the_ridge_does_not_try_what_is_said_of_those_below() -> None:
    past = fully_connected(60, 600, 5000)
    past = [replace(row, flops=20 * (row.flops or 0)) if row.layer else row for row in past]
    trial = tried("batch-free", past)
    assert trial.verdict == UNTRIED
    assert "past the ridge at 10" in trial.reason


def test_near_the_border_it_cannot_be_told() -> None:
    rows = ladder("conv-size", "1x1", (112, 16, 100))
    trial = tried("pointwise", rows)
    assert trial.verdict == UNDECIDED
    assert "overlap" in trial.reason


def test_an_end_of_a_curve_that_is_missing_leaves_it_open() -> None:
    first, last = curve(STRIDE, "bandwidth", {1: 50, 16: 800})
    trial = tried("stride", [first, replace(last, trusted=False, doubt="disturbed")])
    assert trial.verdict == UNDECIDED
    assert "disturbed" in trial.reason


@pytest.mark.parametrize("name", ["bank-conflicts", "matrix-units", "peak-dram"])
def test_what_a_cpu_lacks_is_not_tried(name: str) -> None:
    trial = tried(name, ROOFS)
    assert trial.verdict == UNTRIED
    assert "a GPU" in trial.reason


def test_what_a_gpu_has_is_judged() -> None:
    banks = curve("sweep/bandwidth/bank-conflict/shared", "cache", {1: 1, 32: 32})
    assert tried("bank-conflicts", banks, GPU).verdict == HOLDS
    slow = measurement("compute/fp16", 1e14, probe="compute")
    fast = measurement("compute/fp16/wgmma-fp32", 8e14, probe="tensor_core", dtype="fp16")
    assert tried("matrix-units", [slow, fast], GPU).verdict == HOLDS
    assert tried("matrix-units", [slow, replace(fast, seconds_median=5e-3)], GPU).verdict == FAILS


@pytest.mark.parametrize("name", ["channels", "separable", "latency"])
def test_a_picture_says_the_claim_and_the_verdict(name: str) -> None:
    """One of each sort of chart."""
    trial = tried(name, BOTH_WAYS[name][0])
    assert trial.chart is not None
    svg, _ = svg_and_png(lambda: figure(trial, trial.chart, "Made-up CPU"))  # type: ignore[arg-type]
    assert trial.title in svg
    assert f"{HOLDS} · Made-up CPU" in svg
