"""CPU and GPU at once: what counts is what both did within one window, or nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from analysis.model.ceilings import ceilings
from kernels import stream
from kernels.base import Audit, Kernel, Work
from probes import together as probe
from probes.harness.bench import LocalBench
from probes.harness.case import Case, Probe
from probes.harness.clocks.sampling import Rule, Sample
from probes.harness.clocks.together import TogetherClock, passes_within
from probes.harness.company import company
from probes.harness.devices import cpu
from probes.harness.rounds import take_turns
from probes.harness.task import tasks
from probes.records.measurement import OK, SKIPPED
from probes.records.tag import BANDWIDTH, MAIN_MEMORY, WITH_CPU, Tag
from tests.devices import CPU, GPU
from tests.probes.harness.test_rounds import RIGHT, STARTED, Launch

TAG = Tag(BANDWIDTH, MAIN_MEMORY, variants=(WITH_CPU,))


def ends(*nanoseconds: int) -> np.ndarray:
    """A thread's log of passes."""
    return np.array([*nanoseconds, 0, 0], np.int64)


def test_parts_of_passes_at_both_ends_count() -> None:
    assert passes_within(ends(100, 200, 300, 400), 150, 375) == pytest.approx(2.25)


@pytest.mark.parametrize(
    ("begin", "end"), [(50, 350), (150, 450), (150, 200)], ids=["before", "after", "too few"]
)
def test_a_thread_that_did_not_work_all_the_while_is_unknown(begin: int, end: int) -> None:
    assert passes_within(ends(100, 200, 300, 400), begin, end) is None
    assert passes_within(ends(), begin, end) is None


class Time:
    """Made-up nanoseconds."""

    now = 0


class Host:
    """A CPU that moves 20 B/s alone and 10 B/s beside the GPU, and knows when it works."""

    def __init__(self, time: Time, knows: bool = True) -> None:
        self.time, self.knows = time, knows
        self.works = False
        self.windows: list[tuple[int, int]] = []

    @contextmanager
    def at_work(self) -> Iterator[None]:
        self.works = True
        yield
        self.works = False

    def bytes_within(self, begin_ns: int, end_ns: int) -> float | None:
        assert self.works
        self.windows.append((begin_ns, end_ns))
        beside_gpu = len(self.windows) % 2 == 0
        rate = 10.0 if beside_gpu else 20.0
        return rate * (end_ns - begin_ns) * 1e-9 if self.knows else None


class Gpu:
    """A clock by which a repetition takes 1 s alone and 2 s beside the CPU."""

    queue: Any = None

    def __init__(self, time: Time, host: Host) -> None:
        self.time, self.host = time, host

    def sample(self, launch: Any, repeat: int) -> Sample:
        seconds = 2 if self.host.works else 1
        self.time.now += repeat * seconds * 1_000_000_000
        return Sample(float(seconds))

    def close(self) -> None: ...


def clock_of(time: Time, host: Host) -> Any:
    """A clock of both."""

    def sleep(seconds: float) -> None:
        time.now += int(seconds * 1e9)

    return TogetherClock(Gpu(time, host), host, 1.0, lambda: time.now, sleep)


def test_each_is_timed_alone_and_both_in_one_window() -> None:
    time = Time()
    host = Host(time)
    clock = clock_of(time, host)
    sample = clock.sample(None, 3)
    assert (sample.seconds, sample.clean) == (2.0, True)
    assert sample.moved == pytest.approx(20.0)  # 10 B/s during the 2 s of a repetition
    rates = {"gpu": 4.0, "cpu": 10.0, "gpu_alone": 8.0, "cpu_alone": 20.0}
    assert clock.rates(8.0) == pytest.approx(rates)
    assert not clock.doubt
    alone, both = host.windows
    assert both[0] >= alone[1]
    assert both[1] - both[0] == 6_000_000_000  # all that the GPU took


def test_samples_in_which_they_did_not_overlap_are_not_clean() -> None:
    time = Time()
    clock = clock_of(time, Host(time, knows=False))
    assert not clock.sample(None, 1).clean
    assert clock.rates(8.0) == {}
    assert clock.doubt == "CPU and GPU worked together during 0 of 1 samples only"


class SlowClock:
    """Half a millisecond passes for each repetition on a made-up GPU; host work goes on."""

    queue: Any = None

    def sample(self, launch: Any, repeat: int) -> Sample:
        import time

        time.sleep(5e-4 * repeat)
        return Sample(5e-4)

    def close(self) -> None: ...


def test_the_row_counts_the_bytes_of_both_and_draws_no_roof() -> None:
    """With the real CPU at work, on small arrays."""
    n = 1 << 17
    host = Case(stream.READ, "fp64", "cpu", TAG, {"n": n, "threads": 1})
    kernel = Kernel(
        "read",
        work=lambda dtype, **_: Work(0.0, 1e6),
        reference=lambda dtype, repeat, **_: RIGHT,
        backends={"raw": lambda *_: Launch(RIGHT, Audit(""))},
    )
    case = Case(kernel, "fp64", "raw", TAG, {}, during=(host,))
    todo = tasks([Probe("made_up", "", lambda device: [case])], GPU, STARTED)
    rule = Rule(0.01, 0.0, fewest=3)
    list(take_turns(todo, LocalBench(GPU, SlowClock()), lambda _: rule, 2, list))
    row = todo[0].row
    assert row.status == OK, row.reason
    rates = json.loads(row.params)["together"]
    assert rates["gpu"] == pytest.approx(1e6 / 5e-4)
    assert rates["cpu"] > 0
    assert row.bytes is not None
    assert row.bytes > 1e6
    assert row.bytes < 1e6 + 5e-4 * 1e12
    tops = ceilings([row], GPU)
    assert list(tops) == ["bandwidth/dram/with-cpu"]


def test_the_host_works_until_it_is_told_to_stop() -> None:
    import time

    device = cpu.detect()
    case = Case(stream.READ, "fp64", "cpu", TAG, {"n": 1 << 17, "threads": 1})
    assert device.units >= 1
    with company([case]) as host, host.at_work():
        begin = time.monotonic_ns()
        time.sleep(0.05)
        end = time.monotonic_ns()
        moved = host.bytes_within(begin, end)
    assert moved is not None
    rate = moved / (end - begin) * 1e9
    assert 1e8 < rate < 1e12


def test_a_discrete_gpu_is_skipped_with_the_reason_and_a_cpu_asks_nothing() -> None:
    (case,) = probe.cases(GPU)
    assert case.skip == probe.TWO_MEMORIES
    (task,) = tasks([Probe("together", "", probe.cases)], GPU, STARTED)
    assert (task.row.status, task.row.reason) == (SKIPPED, probe.TWO_MEMORIES)
    assert not list(probe.cases(CPU))


def test_an_integrated_gpu_leaves_a_core_for_its_launches(monkeypatch: pytest.MonkeyPatch) -> None:
    integrated = replace(GPU, features=("integrated",))
    monkeypatch.setattr(probe.cpu, "detect", lambda: CPU)
    (case,) = probe.cases(integrated)
    assert not case.skip
    assert case.during[0].params["threads"] == CPU.units - 1
    assert case.ceiling == "bandwidth/dram/with-cpu"
    monkeypatch.setattr(probe.cpu, "detect", lambda: replace(CPU, units=1))
    (case,) = probe.cases(integrated)
    assert case.skip == probe.ONE_CORE_ONLY
