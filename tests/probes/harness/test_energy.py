"""A row carries a power only if it was its own: by a made-up clock and sensor."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kernels.base import Kernel, Work
from probes.harness import energy
from probes.harness.case import Case
from probes.harness.clocks.sampling import Sample
from probes.harness.devices.power import Draw, Found
from probes.harness.sustained import measurement as steady_end
from probes.harness.task import Task
from probes.records.measurement import SCHEMA_VERSION, Moment
from probes.records.tag import parse_tag
from tests.devices import CPU, GPU, measurement


class Time:
    """Seconds that pass only when a sample is taken."""

    def __init__(self) -> None:
        self.now = 0.0
        self.started_at: float | None = None
        self.stopped_at: float | None = None


class Launch:
    """It does nothing, and knows if it was closed."""

    closed = False

    def close(self) -> None:
        self.closed = True


class Clock:
    """Each repetition takes 1 ms of made-up time."""

    queue: Any = None

    def __init__(self, time: Time) -> None:
        self.time = time

    def sample(self, launch: Any, repeat: int) -> Sample:
        self.time.now += repeat * 1e-3
        return Sample(1e-3)

    def close(self) -> None: ...


class Sensor:
    """It looks back 0.3 s."""

    source = "made up"
    settle_seconds = 0.3
    window_seconds = 0.2

    def __init__(self, time: Time, draw: Draw) -> None:
        self.time, self.draw = time, draw

    def start(self) -> None:
        self.time.started_at = self.time.now

    def stop(self) -> Draw:
        self.time.stopped_at = self.time.now
        return self.draw

    def watts(self) -> float | None:
        return self.draw.watts


def task(ceiling: str, rate: float = 1e12, launch: Any = None, **changed: Any) -> Task:
    """A task whose row is measured."""
    kernel = Kernel(
        "made up",
        work=lambda dtype, **_: Work(1e9, 1e9),
        reference=lambda dtype, repeat, **_: np.zeros(1),
        backends={"cpu": lambda *_: launch},
    )
    case = Case(kernel, "fp64", "cpu", parse_tag(ceiling))
    return Task("made_up", case, measurement(ceiling, rate, **changed))


def test_the_sensor_counts_only_after_it_can_hold_nothing_else() -> None:
    time, launch = Time(), Launch()
    loaded = task("compute/fp32", launch=launch)
    drawn = energy.load(loaded, CPU, Clock(time), Sensor(time, Draw(200.0)), lambda: time.now)
    assert time.started_at is not None and time.stopped_at is not None
    assert time.started_at >= Sensor.settle_seconds
    assert time.stopped_at - time.started_at >= Sensor.window_seconds
    assert drawn.watts == 200
    assert drawn.joules == pytest.approx(0.2)  # 200 W for a repetition of 1 ms
    assert launch.closed
    row = drawn.of(loaded.row)
    assert row.power_w == 200
    assert row.per_watt == pytest.approx((row.flops or 0) / 0.2)


def test_what_was_not_settled_is_unknown_and_says_why() -> None:
    time = Time()
    sensor = Sensor(time, Draw(None, "not settled"))
    loaded = task("compute/fp32", launch=Launch())
    drawn = energy.load(loaded, CPU, Clock(time), sensor, lambda: time.now)
    assert (drawn.watts, drawn.joules, drawn.why_unknown) == (None, None, "not settled")
    assert drawn.of(loaded.row).per_watt is None


def test_a_sensor_stops_when_the_load_breaks() -> None:
    class Broken(Clock):
        def sample(self, launch: Any, repeat: int) -> Sample:
            if self.time.started_at is not None:
                raise RuntimeError("fell off the bus")
            return super().sample(launch, repeat)

    time, launch = Time(), Launch()
    with pytest.raises(RuntimeError):
        energy.load(
            task("compute/fp32", launch=launch),
            CPU,
            Broken(time),
            Sensor(time, Draw(1.0)),
            lambda: time.now,
        )
    assert time.stopped_at is not None
    assert launch.closed


def test_without_a_sensor_the_run_says_why() -> None:
    assert energy.telling(Found(why_not="no sensor")).as_json() == {"why_unknown": "no sensor"}


def test_idle_power_is_read_when_the_last_load_is_forgotten() -> None:
    slept: list[float] = []
    sensor = Sensor(Time(), Draw(60.0))
    assert energy.idle(sensor, slept.append) == 60
    assert slept == [Sensor.settle_seconds, Sensor.window_seconds]


def test_the_run_names_its_sensor_and_knows_how_long_a_load_takes() -> None:
    told = energy.telling(Found(Sensor(Time(), Draw(60.0))))
    assert told.as_json() == {"source": "made up"}
    assert told.load_seconds > Sensor.settle_seconds + Sensor.window_seconds


def test_memory_and_networks_come_first_then_the_best_of_each_format() -> None:
    todo = [
        task("compute/fp32", 1e12),
        task("compute/fp16/wmma-fp32", 5e12),
        task("compute/fp16/mma-fp32", 6e12),
        task("compute/fp32/gemm", 9e11),
        task("bandwidth/dram/copy", 1e11),
        task("bandwidth/dram/read", 2e11),
        task("bandwidth/dram/read", 1.5e11),
        task("layer/network", 1e9),
        task("sweep/bandwidth/working-set/read", 1e11),
        task("compute/int8", 9e12, trusted=False),
        task("latency/dram"),
    ]
    order = [each.row.ceiling for each in energy.loads(todo, 100.0, 1.0)]
    assert order[:4] == [
        "bandwidth/dram/read",
        "layer/network",
        "compute/fp16/mma-fp32",
        "compute/fp32",
    ]
    assert set(order[4:]) == {"compute/fp16/wmma-fp32", "compute/fp32/gemm", "bandwidth/dram/copy"}
    assert energy.loads(todo, 100.0, 1.0)[0].row.rate == pytest.approx(2e11)
    assert len(energy.loads(todo, 2.5, 1.0)) == 2


def moments(seconds: float, count: int, watts: float | None) -> list[Moment]:
    """A curve of so many moments up to ``seconds``."""
    return [
        Moment(
            schema_version=SCHEMA_VERSION,
            device=GPU.name,
            started="",
            tag="compute/fp32/sustained",
            seconds=seconds * k / count,
            rate=1e12,
            clock_hz=None,
            power_w=watts,
            temperature_c=None,
        )
        for k in range(count)
    ]


@pytest.mark.parametrize(
    ("seconds", "watts", "power"), [(30.0, 300.0, 300.0), (0.9, 300.0, None), (30.0, None, None)]
)
def test_the_end_of_a_sustained_load_has_its_own_power(
    seconds: float, watts: float | None, power: float | None
) -> None:
    burst = task("compute/fp32", power_w=999.0, joules=0.999)
    row = steady_end(burst, moments(seconds, 9, watts))
    assert row.power_w == power
    assert row.joules == (pytest.approx(0.3) if power else None)
