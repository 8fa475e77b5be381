"""The CPU kernels on the real CPU: NumPy's numbers, and code that does the declared work."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from kernels import fma, pattern, stream
from kernels.base import KernelError, Work
from kernels.cpu.asm import Spec, audit
from kernels.cpu.emit import Vector, vector
from kernels.fma import cpu as fma_cpu
from kernels.fma import work as fma_work
from probes.harness.check import difference
from probes.harness.clocks.team import Team

THREADS = 2
N = 1 << 16
LARGE_N = 1 << 27  # more elements than a check looks at
DTYPES = ["fp64", "fp32", "fp16", "bf16", "int32", "int8"]
WAYS = [(dtype, path) for dtype in DTYPES for path in fma_cpu.paths(dtype)]
"""Every type by every instruction that this machine's kind of CPU may have for it."""


class Host:
    """This CPU as a kernel builder sees it."""

    def __init__(self, features: tuple[str, ...]) -> None:
        self.features = features
        self.last_cache_bytes = None


@pytest.fixture(scope="module")
def team() -> Iterator[Team]:
    cpus = sorted(os.sched_getaffinity(0)) * THREADS  # enough, even where there is just one
    crew = Team(cpus[:THREADS])
    yield crew
    crew.close()


@pytest.fixture(scope="module")
def host() -> Host:
    from probes.harness.devices import cpu

    return Host(cpu.detect().features)


def fma_params(host: Host, dtype: str, path: str = "") -> dict[str, Any]:
    """Params of multiply-add chains, as they are timed on this CPU."""
    shape = fma_cpu.shape(host.features, dtype, path)
    return shape | {"threads": THREADS} | fma_work.TIMED[dtype]


@pytest.mark.parametrize(("dtype", "path"), WAYS)
def test_chains_compute_what_numpy_computes(team: Team, host: Host, dtype: str, path: str) -> None:
    if reason := fma_cpu.missing(host.features, dtype, path):
        assert reason.startswith(("this core has no ", "this core's SVE registers have 128 bits"))
        return
    kernel = fma.kernel(dtype, path)
    params = fma_params(host, dtype, path) | dict(kernel.check_params)
    tolerance = fma_work.TOLERANCE.get(dtype, 0.0)
    launch = kernel.backends["cpu"](host, dtype, params, team)
    launch.run(3)
    right = fma_work.reference(dtype, 3, **params)
    one_too_many = fma_work.reference(dtype, 4, **params)
    assert not difference(launch.result(), right, tolerance)
    assert difference(launch.result(), one_too_many, tolerance), "the count shows"


@pytest.mark.parametrize(("dtype", "path"), WAYS)
def test_the_hot_loop_of_the_chains_does_the_declared_work(
    team: Team, host: Host, dtype: str, path: str
) -> None:
    if fma_cpu.missing(host.features, dtype, path):
        return
    params = fma_params(host, dtype, path)
    launch = fma.kernel(dtype, path).backends["cpu"](host, dtype, params, team)
    work = fma_work.work(dtype, **params)
    audit_of_launch = launch.audit(work)
    assert not audit_of_launch.problem
    assert path.removeprefix("sve_").removeprefix("sve") in audit_of_launch.instruction
    assert path.startswith("sve") == (" z." in audit_of_launch.instruction)
    assert "not" in launch.audit(Work(flops=2 * work.flops)).problem, "a doubled count is caught"


@pytest.mark.parametrize("dtype", ["fp32", "fp64"])
@pytest.mark.parametrize("kernel", stream.KERNELS, ids=lambda kernel: kernel.name)
def test_streams_compute_what_numpy_computes(
    team: Team, host: Host, kernel: Any, dtype: str
) -> None:
    params = {"n": N, "threads": THREADS}
    launch = kernel.backends["cpu"](host, dtype, params, team)
    launch.run(1)
    assert not difference(launch.result(), kernel.reference(dtype, 1, **params), 0.0)
    audit_of_launch = launch.audit(kernel.work(dtype, **params))
    assert audit_of_launch.instruction
    assert not audit_of_launch.problem
    launch.close()


def test_a_stream_with_a_tail_is_refused(team: Team, host: Host) -> None:
    with pytest.raises(KernelError, match="take a multiple of"):
        stream.COPY.backends["cpu"](host, "fp64", {"n": N + 1, "threads": THREADS}, team)


def test_a_check_sees_a_copy_that_did_half() -> None:
    places = pattern.sample_indices(N, 8)
    half = np.where(places < N // 2, pattern.values("fp64", 0, places), np.nan)
    assert "out[" in difference(half, stream.COPY.reference("fp64", 1, N), 0.0)


def test_samples_reach_both_ends_and_every_part() -> None:
    places = pattern.sample_indices(LARGE_N, 8)
    assert (places.min(), places.max()) == (0, LARGE_N - 1)
    assert np.diff(np.unique(places)).max() <= LARGE_N // 4096


def test_total_is_the_sum_of_the_values() -> None:
    n = 2 * pattern.LENGTH + 17  # two whole periods and a part of one
    assert pattern.total("fp32", 1, n) == pattern.values("fp64", 1, np.arange(n)).sum()


def test_fill_continues_the_pattern_in_every_part() -> None:
    n = pattern.LENGTH + 100
    whole = np.empty(n)
    parts = np.empty(n)
    pattern.fill(whole, slice(0, n), "fp64", 0)
    for part in (slice(0, 77), slice(77, n)):
        pattern.fill(parts, part, "fp64", 0)
    assert np.array_equal(whole, pattern.values("fp64", 0, np.arange(n)))
    assert np.array_equal(whole, parts)


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        (("sse2",), Vector(128, 12, False)),
        (("avx",), Vector(256, 12, False)),
        (("avx", "avx2", "fma"), Vector(256, 12, True)),
        (("avx", "fma", "avx512f"), Vector(512, 16, True)),
        (("fp", "asimd"), Vector(128, 16, True)),
    ],
)
def test_vector_unit_by_features(features: tuple[str, ...], expected: Vector) -> None:
    assert vector(features) == expected


# a loop of one multiply-add, with a place for another instruction
LOOP = """
entry:
  vmovapd %zmm0, %zmm1
.L1:
  vfmadd231pd %zmm1, %zmm2, %zmm3
  {body}
  jne .L1
  retq
"""
# two doubles with two operations each in 128 bits, on two threads
FMA_SPEC = Spec(r"vfmadd", per_128=4.0, bodies=2.0)


def test_audit_counts_the_loop() -> None:
    two_operations = LOOP.format(body="vfmadd231pd %zmm1, %zmm2, %zmm4")
    of_loop = audit(two_operations, FMA_SPEC, Work(flops=64))
    assert of_loop.instruction == "vfmadd231pd zmm"
    assert not of_loop.problem


@pytest.mark.parametrize(
    ("assembly", "why"),
    [
        (LOOP.format(body="nop"), "32 operations a repetition, not 64"),
        (LOOP.format(body="vfmadd231pd %ymm1, %ymm2, %ymm4"), "48 operations a repetition, not 64"),
        ("entry:\n  retq\n", "removed the work"),
        ("entry:\n  vfmadd231pd %zmm1, %zmm2, %zmm3\n  retq\n", "removed the work"),
    ],
)
def test_audit_catches_code_that_does_less(assembly: str, why: str) -> None:
    assert why in audit(assembly, FMA_SPEC, Work(flops=64)).problem


def test_audit_reads_arm() -> None:
    code = ".LBB0_1:\n\tfmla\tv0.4s, v1.4s, v2.4s\n\tfmla\tv3.2d, v1.2d, v2.2d\n\tb.lt\t.LBB0_1\n"
    of_arm = audit(code, Spec("fmla", 8.0, 1.0), Work(flops=16))
    assert (of_arm.instruction, of_arm.problem) == ("fmla .4s+fmla .2d", "")
