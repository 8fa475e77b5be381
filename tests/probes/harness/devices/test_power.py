"""Which sensor tells what a device draws, and when it does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kernels.device import Device
from probes.harness.devices import power
from tests.devices import CPU, GPU
from tests.probes.harness.devices.boards import BOARDS
from tests.probes.harness.devices.trees import write


class Management:
    """A made-up pynvml with these powers in mW; None: the question is not supported."""

    def __init__(self, instant: int | None = None, average: int | None = None) -> None:
        self._instant, self._average = instant, average

    def nvmlDeviceGetFieldValues(self, handle: Any, fields: list[int]) -> list[Any]:
        assert fields == [186]
        code = 0 if self._instant is not None else 3
        value = SimpleNamespace(uiVal=self._instant, ullVal=0)
        return [SimpleNamespace(nvmlReturn=code, valueType=1, value=value)]

    def nvmlDeviceGetPowerUsage(self, handle: Any) -> int:
        if self._average is None:
            raise RuntimeError("not supported")
        return self._average


def test_instant_power_is_preferred_to_a_mean_of_a_second() -> None:
    found = power.sensor_of(GPU, opened=(Management(instant=650_500, average=400_000), None))
    assert found.sensor is not None
    assert found.sensor.watts() == 650.5
    assert found.sensor.settle_seconds == power.INSTANT_SECONDS


def test_a_mean_of_a_second_is_waited_out() -> None:
    found = power.sensor_of(GPU, opened=(Management(average=400_000), None))
    assert found.sensor is not None
    assert found.sensor.watts() == 400
    assert found.sensor.settle_seconds > 1.0


@pytest.mark.parametrize(
    ("facts", "words"),
    [({"mig": True}, "a slice"), ({"other_processes": 2}, "not this run's own")],
)
def test_power_that_is_not_this_programs_alone_is_unknown(
    facts: dict[str, Any], words: str
) -> None:
    device = replace(GPU, facts=facts)
    found = power.sensor_of(device, opened=(Management(instant=650_500), None))
    assert found.sensor is None
    assert words in found.why_not


def test_a_gpu_that_tells_nothing_says_so() -> None:
    found = power.sensor_of(GPU, opened=(Management(), None))
    assert found.sensor is None
    assert found.why_not


def rapl(root: Path, domains: dict[str, tuple[str, int]]) -> Path:
    """A tree with these RAPL domains: name and microjoules by folder."""
    files = {}
    for folder, (name, microjoules) in domains.items():
        at = f"sys/class/powercap/{folder}"
        files[f"{at}/name"] = f"{name}\n"
        files[f"{at}/energy_uj"] = f"{microjoules}\n"
        files[f"{at}/max_energy_range_uj"] = "1000000000\n"
    return write(root, files)


def test_packages_and_memory_add_up_and_their_parts_are_not_counted_twice(tmp_path: Path) -> None:
    root = rapl(
        tmp_path,
        {
            "intel-rapl:0": ("package-0", 10_000_000),
            "intel-rapl:0:0": ("core", 9_000_000),
            "intel-rapl:0:1": ("dram", 2_000_000),
            "intel-rapl:1": ("package-1", 999_000_000),
            "intel-rapl:2": ("psys", 50_000_000),
        },
    )
    found = power.sensor_of(CPU, root)
    times = iter([0.0, 100.0, 102.0])
    sensor = power.Counter("", 0.0, found.sensor._ask, lambda: next(times))  # type: ignore[union-attr]
    sensor.start()
    rapl(
        root,
        {
            "intel-rapl:0": ("package-0", 70_000_000),
            "intel-rapl:0:1": ("dram", 12_000_000),
            "intel-rapl:1": ("package-1", 9_000_000),  # it started anew at 1000 J
        },
    )
    assert sensor.stop().watts == pytest.approx((60 + 10 + 10) / 2)


def test_a_counter_that_only_root_reads_names_the_way_out(tmp_path: Path) -> None:
    root = rapl(tmp_path, {"intel-rapl:0": ("package-0", 1)})
    (root / "sys/class/powercap/intel-rapl:0/energy_uj").write_text("")
    found = power.sensor_of(CPU, root)
    assert found.sensor is None
    assert "root" in found.why_not


def test_a_machine_without_counters_says_so(tmp_path: Path) -> None:
    assert "no RAPL" in power.sensor_of(CPU, tmp_path).why_not


INA3221 = {
    "sys/class/hwmon/hwmon1/name": "ina3221\n",
    "sys/class/hwmon/hwmon1/in1_label": "VDD_IN\n",
    "sys/class/hwmon/hwmon1/in1_input": "5000\n",
    "sys/class/hwmon/hwmon1/curr1_input": "2000\n",
    "sys/class/hwmon/hwmon1/in2_label": "VDD_CPU_GPU_CV\n",
    "sys/class/hwmon/hwmon1/in2_input": "5000\n",
    "sys/class/hwmon/hwmon1/curr2_input": "800\n",
}


@pytest.mark.parametrize("device", [replace(GPU, features=("integrated",)), CPU])
def test_a_jetson_tells_the_power_of_its_module(device: Device, tmp_path: Path) -> None:
    found = power.sensor_of(device, write(tmp_path, INA3221))
    assert found.sensor is not None
    assert found.sensor.source == "module (VDD_IN)"
    assert found.sensor.watts() == pytest.approx(10)


@pytest.mark.parametrize(
    ("device", "celsius"), [(replace(GPU, features=("integrated",)), 46.25), (CPU, 48.5)]
)
def test_the_watch_of_a_jetson_tells_power_and_heat(
    device: Device, celsius: float, tmp_path: Path
) -> None:
    root = BOARDS["Orin Nano 8GB, MAXN_SUPER"].write(tmp_path)
    state = power.Watch(device, root).read()
    assert state == {"power_w": pytest.approx(5.0), "temperature_c": celsius}


def test_a_jetson_whose_monitors_are_hidden_names_the_way_out(tmp_path: Path) -> None:
    found = power.sensor_of(replace(GPU, features=("integrated",)), tmp_path)
    assert found.sensor is None
    assert "-v /sys:/sys:ro" in found.why_not


def test_a_load_that_was_not_settled_has_no_power() -> None:
    draw = power.mean_of([100.0, 120.0, 200.0, 300.0])
    assert draw.watts is None
    assert "not settled" in draw.why_unknown
    assert power.mean_of([300.0, 301.0, 299.0, 300.0]).watts == pytest.approx(300)


def test_a_gauge_is_read_from_start_to_stop_only() -> None:
    readings: list[float] = []

    def ask() -> float:
        readings.append(50.0)
        return 50.0

    gauge = power.Gauge("made up", 0.0, ask)
    gauge.start()
    while len(readings) < 3:
        pass
    assert gauge.stop().watts == 50
    count = len(readings)
    assert gauge.watts() == 50
    assert len(readings) == count + 1


def test_the_watch_of_a_cpu_tells_power_by_its_counters(tmp_path: Path) -> None:
    root = rapl(tmp_path, {"intel-rapl:0": ("package-0", 1_000_000)})
    watch = power.Watch(CPU, root)
    rapl(root, {"intel-rapl:0": ("package-0", 2_000_000)})
    assert watch.read()["power_w"] > 0
    assert power.Watch(CPU, tmp_path / "empty").read() == {}
