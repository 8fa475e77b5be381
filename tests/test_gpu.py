"""What only a CUDA device can show; ``pytest -m gpu`` runs it, elsewhere it is skipped with the
reason.
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
from kernels import stream
from kernels.base import KernelError
from kernels.device import Device
from probes.harness.bench import LocalBench
from probes.harness.case import Case, all_probes
from probes.harness.clocks.sampling import CudaClock, Rule
from probes.harness.devices.choose import choose
from probes.harness.rounds import take_turns
from probes.harness.task import tasks
from probes.records.measurement import OK, SKIPPED, RidgelineError
from probes.records.tag import parse_tag
from tests.runs import ROOT

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def gpu() -> Device:
    try:
        return choose("0")[0]
    except RidgelineError as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def clock(gpu: Device) -> Iterator[CudaClock]:
    made = CudaClock(gpu)
    yield made
    made.close()


@pytest.mark.parametrize("name", all_probes())
def test_every_case_of_every_probe_is_right_and_possible(
    name: str, gpu: Device, clock: CudaClock
) -> None:
    todo = tasks([all_probes()[name]], gpu, "now")
    for _ in take_turns(
        todo, LocalBench(gpu, clock), lambda _: Rule(0.002, 0.0), 1, lambda rows: judged(rows, gpu)
    ):
        pass
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


def test_a_kernel_that_takes_the_gpu_down_is_one_failed_row(gpu: Device) -> None:
    """Illegal access and hang, each between cases that are right."""
    command = [sys.executable, "-m", "tests.planted_cuda"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout.splitlines()[-1])
    assert rows["compute/fp64"][0] == rows["compute/fp32"][0] == OK
    assert rows["compute/int32/illegal"][0] == "failed"
    assert "llegal" in rows["compute/int32/illegal"][1]
    assert rows["compute/int32/hang"] == ["failed", "it gave no answer within 15 s, and was ended"]


def test_the_observed_clock_is_within_the_rated_one(gpu: Device, clock: CudaClock) -> None:
    (case,) = [
        c
        for c in all_probes()["compute"].cases(gpu)
        if c.ceiling == "compute/fp32" and c.backend == "raw"
    ]
    launch = case.kernel.backends["raw"](gpu, case.dtype, case.params, clock.queue)
    sample = clock.sample(launch, 2000)
    launch.close()
    assert sample.clock_hz is not None
    assert gpu.clock_hz is not None
    # A GPU may run some steps above what it reports as its maximum: an H100 rated at 1980 MHz was
    # seen at 2070.
    assert 0.05 * gpu.clock_hz < sample.clock_hz < 1.1 * gpu.clock_hz


def test_no_room_is_one_line_and_leaves_the_device_usable(gpu: Device, clock: CudaClock) -> None:
    huge = {"n": 1 << 36, "block": 256, "vecs": 1}
    with pytest.raises(KernelError, match=r"take a multiple of|no room for"):
        stream.COPY.backends["raw"](gpu, "fp64", huge, clock.queue)
    small: dict[str, Any] = {"n": 1 << 20, "block": 256, "vecs": 1}
    launch = stream.COPY.backends["raw"](gpu, "fp64", small, clock.queue)
    launch.run(1)
    assert np.array_equal(launch.result(), stream.COPY.reference("fp64", 1, n=1 << 20))
    launch.close()


def test_a_tail_is_copied_too(gpu: Device, clock: CudaClock) -> None:
    params = {"n": 1_000_002, "block": 256, "vecs": 4}
    for kernel in stream.KERNELS:
        launch = kernel.backends["raw"](gpu, "fp64", params, clock.queue)
        launch.run(1)
        assert np.array_equal(launch.result(), kernel.reference("fp64", 1, **params)), kernel.name
        launch.close()


def test_a_skipped_case_is_not_launched(gpu: Device, clock: CudaClock) -> None:
    from probes.harness.case import Probe

    case = Case(
        stream.COPY,
        "fp64",
        "raw",
        parse_tag("bandwidth/dram/copy"),
        {"n": 1 << 20, "block": 256, "vecs": 1},
        "not here",
    )
    todo = tasks([Probe("p", "?", lambda _: [case])], gpu, "now")
    list(take_turns(todo, LocalBench(gpu, clock), lambda _: Rule(0.002, 0.0), 1, list))
    assert (todo[0].row.status, todo[0].row.reason) == (SKIPPED, "not here")
