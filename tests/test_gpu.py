"""What only a CUDA device can show.

``pytest -m gpu`` runs these tests; without a device, each is skipped with the reason.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from analysis.model.judge import judged
from kernels import gemm, stream
from kernels.base import KernelError, Selective
from kernels.device import Device
from kernels.gemm import cublaslt
from probes.harness import energy
from probes.harness.bench import LocalBench
from probes.harness.case import Case, Probe, all_probes
from probes.harness.check import check
from probes.harness.clocks.sampling import CudaClock, Rule
from probes.harness.devices import cpu, power
from probes.harness.devices.choose import choose
from probes.harness.rounds import take_turns
from probes.harness.task import tasks
from probes.harness.turn import take_turn
from probes.records.measurement import OK, SKIPPED, RidgelineError
from probes.records.tag import parse_tag
from tests.runs import ROOT

pytestmark = pytest.mark.gpu


QUICK = Rule(0.002, 0.0)
"""Samples of two milliseconds, and no more than the fewest of them."""


@pytest.fixture(scope="module")
def gpu() -> Device:
    """The first CUDA device."""
    try:
        return choose("0")[0]
    except RidgelineError as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def clock(gpu: Device) -> Iterator[CudaClock]:
    """A clock of that device."""
    cuda_clock = CudaClock(gpu)
    yield cuda_clock
    cuda_clock.close()


@pytest.mark.parametrize("name", all_probes())
def test_every_case_of_every_probe_is_right_and_possible(
    name: str, gpu: Device, clock: CudaClock
) -> None:
    todo = tasks([all_probes()[name]], gpu, "now")
    bench = LocalBench(gpu, clock)
    list(take_turns(todo, bench, lambda _: QUICK, 1, lambda rows: judged(rows, gpu)))
    rows = judged([task.row for task in todo], gpu)
    wrong = [
        f"{row.ceiling} {row.backend}: {row.reason}"
        for row in rows
        if row.status not in (OK, SKIPPED)
    ]
    assert not wrong
    if all(row.status == SKIPPED for row in rows):
        pytest.skip(rows[0].reason)
    assert any(row.status == OK for row in rows)


@pytest.mark.parametrize("dtype", cublaslt.TYPES)
def test_every_algorithm_that_the_vendors_library_names_is_right(
    dtype: str, gpu: Device, clock: CudaClock
) -> None:
    if reason := cublaslt.missing(gpu, dtype):
        pytest.skip(reason)
    params = {"m": 512, "n": 384, "k": 256, "layout": "TN", "operands": "random"}
    case = Case(gemm.GEMM, dtype, "cublaslt", parse_tag(f"compute/{dtype}/gemm"), params)
    launch = gemm.GEMM.backends["cublaslt"](gpu, dtype, params, clock.queue)
    assert isinstance(launch, Selective)
    for way in launch.ways():
        launch.take(way)
        check(case, launch)
    launch.close()


def test_a_kernel_that_takes_the_gpu_down_is_one_failed_row(gpu: Device) -> None:
    """Illegal access and hang, each between cases that are right."""
    command = [sys.executable, "-m", "tests.planted_cuda"]
    process = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert process.returncode == 0, process.stderr
    rows = json.loads(process.stdout.splitlines()[-1])
    assert rows["compute/fp64"][0] == rows["compute/fp32"][0] == OK
    assert rows["compute/int32/illegal"][0] == "failed"
    assert "llegal" in rows["compute/int32/illegal"][1]
    assert rows["compute/int32/hang"] == ["failed", "it gave no answer within 15 s, and was ended"]


def test_the_observed_clock_is_within_the_rated_one(gpu: Device, clock: CudaClock) -> None:
    cases = [case for case in all_probes()["compute"].cases(gpu) if case.backend == "raw"]
    (case,) = [case for case in cases if case.ceiling == "compute/fp32"]
    launch = case.kernel.backends["raw"](gpu, case.dtype, case.params, clock.queue)
    sample = clock.sample(launch, 2000)
    launch.close()
    assert sample.clock_hz is not None
    assert gpu.clock_hz is not None
    # A GPU may run some steps above what it reports as its maximum: an H100 rated at 1980 MHz has
    # run at 2070.
    assert 0.05 * gpu.clock_hz < sample.clock_hz < 1.1 * gpu.clock_hz


def test_arrays_without_room_are_an_error_that_leaves_the_device_usable(
    gpu: Device, clock: CudaClock
) -> None:
    huge = {"n": 1 << 36, "block": 256, "vecs": 1}  # half a terabyte an array
    with pytest.raises(KernelError, match=r"take a multiple of|no room for"):
        stream.COPY.backends["raw"](gpu, "fp64", huge, clock.queue)
    small: dict[str, Any] = {"n": 1 << 20, "block": 256, "vecs": 1}
    launch = stream.COPY.backends["raw"](gpu, "fp64", small, clock.queue)
    launch.run(1)
    assert np.array_equal(launch.result(), stream.COPY.reference("fp64", 1, n=1 << 20))
    launch.close()


def test_elements_beyond_the_last_whole_vector_are_copied_too(
    gpu: Device, clock: CudaClock
) -> None:
    params = {"n": 1_000_002, "block": 256, "vecs": 4}  # n is no multiple of what a thread takes
    for kernel in stream.KERNELS:
        launch = kernel.backends["raw"](gpu, "fp64", params, clock.queue)
        launch.run(1)
        assert np.array_equal(launch.result(), kernel.reference("fp64", 1, **params)), kernel.name
        launch.close()


def test_a_skipped_case_is_not_launched(gpu: Device, clock: CudaClock) -> None:
    case = Case(
        stream.COPY,
        "fp64",
        "raw",
        parse_tag("bandwidth/dram/copy"),
        {"n": 1 << 20, "block": 256, "vecs": 1},
        "not here",
    )
    todo = tasks([Probe("p", "?", lambda _: [case])], gpu, "now")
    list(take_turns(todo, LocalBench(gpu, clock), lambda _: QUICK, 1, list))
    assert (todo[0].row.status, todo[0].row.reason) == (SKIPPED, "not here")


def test_a_load_draws_more_than_none_and_its_energy_is_that_of_its_own_time(
    gpu: Device, clock: CudaClock
) -> None:
    found = power.sensor_of(gpu)
    if found.sensor is None:
        pytest.skip(found.why_not)
    cases = [case for case in all_probes()["compute"].cases(gpu) if case.backend == "raw"]
    (case,) = [case for case in cases if case.ceiling == "compute/fp32"]
    todo = tasks([Probe("p", "?", lambda _: [case])], gpu, "now")
    list(take_turns(todo, LocalBench(gpu, clock), lambda _: QUICK, 1, list))
    idle = energy.idle(found.sensor)
    drawn = energy.load(todo[0], gpu, clock, found.sensor)
    assert drawn.watts is not None, drawn.why_unknown
    assert idle is None or drawn.watts > 1.1 * idle
    limit = gpu.facts.get("power_limit_w")
    assert limit is None or drawn.watts < 1.1 * limit
    row = drawn.of(todo[0].row)
    assert row.per_watt is not None
    assert 1e9 < row.per_watt < 1e13
    # rate over power differs from work over joules only as far as the clock fell under the load
    assert row.rate is not None
    assert 0.5 < row.per_watt * drawn.watts / row.rate < 1.1


def test_a_warm_up_ends_when_the_clock_has_settled(gpu: Device, clock: CudaClock) -> None:
    """On any GPU: what is done only on Jetsons must work on all."""
    cases = [case for case in all_probes()["compute"].cases(gpu) if case.backend == "raw"]
    (case,) = [case for case in cases if case.ceiling == "compute/fp32"]
    (task,) = tasks([Probe("p", "?", lambda _: [case])], gpu, "now")
    turn = take_turn(task, gpu, clock, QUICK, lambda: (None, None))
    assert (turn.status, turn.reason) == (OK, "")
    assert turn.warm is not None
    assert turn.warm.settled, f"still moving after {turn.warm.seconds:.1f} s"


def test_the_host_streams_while_the_gpu_does(gpu: Device, clock: CudaClock) -> None:
    """On any GPU: what is asked only of integrated ones must work on all."""
    host = cpu.detect()
    if host.units < 2:
        pytest.skip("one core only")
    tag = parse_tag("bandwidth/dram/with-cpu")
    during = Case(stream.READ, "fp64", "cpu", tag, {"n": 1 << 23, "threads": host.units - 1})
    params = {"n": 1 << 26, "block": 256, "vecs": 4}
    case = Case(stream.READ, "fp64", "raw", tag, params, during=(during,))
    todo = tasks([Probe("p", "?", lambda _: [case])], gpu, "now")
    rule = Rule(0.02, 0.3)
    list(take_turns(todo, LocalBench(gpu, clock), lambda _: rule, 1, list))
    row = todo[0].row
    assert row.status == OK, row.reason
    assert row.trusted, row.doubt
    rates = row.together
    assert row.rate == pytest.approx(rates["gpu"] + rates["cpu"], rel=0.1)
    assert rates["cpu_alone"] > 1e9
    assert rates["gpu_alone"] > rates["cpu_alone"]


def test_the_doctor_finds_this_gpu_ready(gpu: Device) -> None:
    # a process of its own: this one has opened the GPU, and cannot be forked to look at it
    command = [sys.executable, str(ROOT / "run_all.py"), "--doctor", "--device", "0", "--all"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.startswith("Ready")
    assert gpu.name in ended.stdout
