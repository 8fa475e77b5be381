"""A number only comes out of a kernel that was checked; all else is a failed or skipped row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np
import pytest

from kernels.base import Audit, Kernel, KernelError, Unavailable, Work
from kernels.device import Device
from probes.harness import turn
from probes.harness.bench import LocalBench
from probes.harness.case import Case, Probe
from probes.harness.clocks.sampling import Rule, Sample
from probes.harness.devices import limits
from probes.harness.rounds import MORE_ROUNDS, USUAL, Judge, Patience, take_turns
from probes.harness.task import RESERVE, tasks
from probes.records.measurement import FAILED, OK, SKIPPED, Measurement
from probes.records.tag import parse_tag
from tests.devices import CPU

STARTED = "2030-01-02T03:04:05Z"
RIGHT = np.array([1.0, 2.0, 4.0])
"""What the made-up kernel must answer."""
SAMPLES = 12
"""Of a case that nothing disturbs: two rounds of the six that an interval needs at least."""


class Launch:
    """A made-up launch that computes ``values`` and remembers whether it was closed."""

    open_launches = 0

    def __init__(self, values: np.ndarray, audit: Audit) -> None:
        self._values, self._audit = values, audit
        Launch.open_launches += 1

    def run(self, repeat: int) -> None: ...

    def result(self) -> np.ndarray:
        return self._values

    def clock_hz(self) -> float | None:
        return None

    def audit(self, work: Work) -> Audit:
        return self._audit

    def close(self) -> None:
        Launch.open_launches -= 1


class Clock:
    """A made-up clock that gives ``samples`` in turn, and counts how often it was read.

    By default every repetition takes a second.
    """

    queue: Any = None

    def __init__(self, *samples: Sample) -> None:
        self._samples = samples or (Sample(1.0, 2e9),)
        self.timed = 0

    def sample(self, launch: Any, repeat: int) -> Sample:
        self.timed += 1
        return self._samples[self.timed % len(self._samples)]

    def close(self) -> None: ...


def made_up_kernel(
    values: np.ndarray = RIGHT,
    audit: Audit | None = None,
    build: Callable[..., Any] | None = None,
    size: float = 8,
) -> Kernel:
    """A kernel that answers ``values``, whose machine code has this audit.

    ``build`` is another builder of its launch; ``size``: the bytes that it moves.
    """
    code = audit or Audit("vfmadd231pd zmm")
    builder = build or (lambda *_: Launch(values, code))
    return Kernel(
        "made",
        work=lambda dtype, **_: Work(12.0, size),
        reference=lambda dtype, repeat, **_: RIGHT,
        backends={"cpu": builder},
        tolerance={"fp64": 1e-6},
    )


def row_of(
    kernel: Kernel,
    clock: Clock | None = None,
    judge: Judge = list,
    skip: str = "",
    rounds: int = 2,
    steady: bool = False,
    patience: Patience = USUAL,
) -> Measurement:
    """The row of one case after so many rounds, and more if the judge asks for them."""

    def cases(device: Device) -> list[Case]:
        return [
            Case(kernel, "fp64", "cpu", parse_tag("compute/fp64"), {"n": 3}, skip, steady=steady)
        ]

    todo = tasks([Probe("p", "?", cases)], CPU, STARTED)
    ticks = count()  # seconds that pass whether or not the machine is fast
    bench = LocalBench(CPU, clock or Clock())
    rule = Rule(sample_seconds=1.0, budget_seconds=0.0)

    def now() -> float:
        return float(next(ticks))

    list(take_turns(todo, bench, lambda _: rule, rounds, judge, now, patience=patience))
    assert Launch.open_launches == 0
    return todo[0].row


def test_a_right_kernel_becomes_a_row_with_its_facts() -> None:
    row = row_of(made_up_kernel())
    assert (row.status, row.samples, row.dropped) == (OK, SAMPLES, 0)
    assert (row.flops, row.bytes, row.seconds_median, row.clock_hz) == (12.0, 8.0, 1.0, 2e9)
    assert (row.params, row.instruction, row.reason) == ('{"n": 3}', "vfmadd231pd zmm", "")
    assert (row.seconds_low, row.seconds_high) == (1.0, 1.0)


def test_a_wrong_answer_fails_with_the_arithmetic_and_is_never_timed() -> None:
    clock = Clock()
    row = row_of(made_up_kernel(np.array([1.0, 2.0, 3.0])), clock)
    assert row.status == FAILED
    assert row.reason == (
        "made/cpu fp64: out[2] is 3, should be 4 (tolerance 1e-06); 1 of 3 values are wrong"
    )
    assert clock.timed == 0
    assert row.rate is None


def test_machine_code_that_does_not_do_the_work_fails_untimed() -> None:
    clock = Clock()
    row = row_of(made_up_kernel(audit=Audit("", "the compiler removed the work")), clock)
    assert (row.status, clock.timed) == (FAILED, 0)
    assert "the compiler removed the work" in row.reason


def test_an_impossible_rate_is_measured_again() -> None:
    def above_limit(row: Measurement) -> Measurement:
        return replace(row, status=FAILED, reason="above the physical limit") if row.rate else row

    def judge(rows: Sequence[Measurement]) -> list[Measurement]:
        return [above_limit(row) for row in rows]

    rounds = 16  # so many that more of them are a small share of the time
    believed = row_of(made_up_kernel(), rounds=rounds)
    doubted = row_of(made_up_kernel(), judge=judge, rounds=rounds)
    assert doubted.samples * rounds == believed.samples * (rounds + MORE_ROUNDS)


def test_a_run_of_limited_patience_gives_each_case_one_turn_at_least() -> None:
    usual = row_of(made_up_kernel(), rounds=4)
    hurried = row_of(made_up_kernel(), rounds=4, patience=Patience(limit_seconds=0.0))
    assert hurried.status == OK
    assert 4 * hurried.samples == usual.samples


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (Unavailable("sm_75 has no bf16"), SKIPPED, "sm_75 has no bf16"),
        (KernelError("triad.cu line 3: no"), FAILED, "triad.cu line 3: no"),
        (MemoryError(), FAILED, "out of memory"),
        (ValueError("two\nlines"), FAILED, "ValueError: two lines"),
    ],
)
def test_what_a_builder_raises_becomes_the_row(error: Exception, status: str, reason: str) -> None:
    def build(*_: Any) -> Any:
        raise error

    row = row_of(made_up_kernel(build=build))
    assert (row.status, row.reason) == (status, reason)


def test_a_case_that_cannot_run_here_is_a_row_with_its_reason() -> None:
    clock = Clock()
    row = row_of(made_up_kernel(), clock, skip="no such unit")
    assert (row.status, row.reason, clock.timed) == (SKIPPED, "no such unit", 0)


def test_memory_that_others_took_since_the_start_is_not_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plenty = 1 << 40
    free = iter([plenty, 0, 0])  # in two rounds of one run, and in the next run
    monkeypatch.setattr(limits, "memory", lambda _: (plenty, RESERVE + next(free)))
    row = row_of(made_up_kernel())
    assert (row.status, row.samples) == (OK, SAMPLES // 2), "what was measured in time is kept"
    row = row_of(made_up_kernel())
    assert (row.status, row.reason) == (SKIPPED, "needs 8 B of memory, and 0 B are free")


@pytest.mark.parametrize(
    ("size", "free", "reason"),
    [
        (
            3.9 * (1 << 30),
            4 << 30,
            "needs 4.19 GB of memory, and 4.29 GB are free, 20% of which stay so",
        ),
        (25e6, 99_000, "needs 25.00 MB of memory, and 99.00 kB are free"),
        (1e12, 3e9, "needs 1000.00 GB of memory, and 3.00 GB are free"),
    ],
)
def test_a_case_too_large_for_the_free_memory_is_refused_with_the_numbers(
    size: float, free: int, reason: str
) -> None:
    case = Case(made_up_kernel(size=size), "fp64", "cpu", parse_tag("compute/fp64"), {"n": 3})
    device = replace(CPU, memory_free_bytes=free)
    (task,) = tasks([Probe("p", "?", lambda _: [case])], device, STARTED)
    assert (task.row.status, task.row.reason) == (SKIPPED, reason)


def test_preempted_samples_are_dropped_and_counted() -> None:
    clock = Clock(Sample(1.0, 2e9), Sample(5.0, 1e9, clean=False), Sample(1.0, 2e9))
    row = row_of(made_up_kernel(), clock)
    assert row.seconds_median == row.seconds_high == 1.0
    assert row.dropped == SAMPLES // 3
    assert row.clock_hz == 2e9
    assert row.trusted


def test_samples_on_a_shared_core_are_dropped_where_the_work_always_takes_as_many_cycles() -> None:
    samples = [Sample(1.0, 2e9), Sample(1.0, 2e9), Sample(1.8, 2e9)]
    steady = row_of(made_up_kernel(), Clock(*samples), steady=True)
    memory = row_of(made_up_kernel(), Clock(*samples))
    assert (steady.samples, steady.dropped, steady.seconds_high) == (8, 4, 1.0), (
        "every third of twelve is dropped"
    )
    assert (memory.dropped, memory.samples) == (0, SAMPLES)


def test_a_machine_with_no_clean_sample_still_gets_its_number_but_no_trust() -> None:
    row = row_of(made_up_kernel(), Clock(Sample(5.0, 1e9, clean=False)), rounds=1)
    assert (row.status, row.seconds_median, row.dropped) == (OK, 5.0, 0)
    assert not row.trusted
    assert row.doubt.startswith("other load disturbed ")
    assert (row.seconds_low, row.seconds_high, row.clock_hz) == (None, None, None), (
        "nothing that looks like knowledge"
    )


def test_a_case_whose_turn_never_came_says_so() -> None:
    case = Case(made_up_kernel(), "fp64", "cpu", parse_tag("compute/fp64"))
    (task,) = tasks([Probe("p", "?", lambda _: [case])], CPU, STARTED)
    assert (task.row.status, task.row.rate) == (SKIPPED, None)
    assert "before its turn" in task.row.reason


@pytest.mark.parametrize("skip", ["", "no such unit"])
def test_what_will_run_is_compiled_before_anything_is_timed(skip: str) -> None:
    clock = Clock()
    timed_before = list[int]()

    def prepare(device: Device, dtype: str, params: Any) -> None:
        timed_before.append(clock.timed)
        raise KernelError("this fails again in its turn")

    backends = {"raw": lambda *_: Launch(RIGHT, Audit("FFMA"))}
    prepared = replace(made_up_kernel(), backends=backends, prepare=prepare)
    cases = [
        Case(prepared, "fp64", "raw", parse_tag(f"compute/{name}"), {}, skip)
        for name in ("fp64", "fp32", "fp16")
    ]
    todo = tasks([Probe("p", "?", lambda _: cases)], CPU, STARTED)
    turn.prepare(todo, CPU)
    rule = Rule(sample_seconds=1.0, budget_seconds=0.0)
    list(take_turns(todo, LocalBench(CPU, clock), lambda _: rule, 1, list))
    statuses = {task.row.status for task in todo}
    if skip:
        assert timed_before == []
        assert statuses == {SKIPPED}
    else:
        assert timed_before == [0, 0, 0]
        assert statuses == {OK}
