"""What a device draws: which sensor tells it, and how far back its readings look.

A reading of a sensor is a mean over some time. A load is given a power of its own only if it ran
alone for longer than that before the first reading that counts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Protocol

from kernels.device import Device
from probes.harness.devices import nvml
from probes.harness.devices.rails import read_power
from probes.harness.devices.reading import number, read
from probes.harness.devices.state import temperatures

INSTANT_SECONDS = 0.25
"""How far back NVML's instant power looks, at most: it is renewed every 20 to 100 ms, and is the
mean of a part of that time (Yang, Adamek, Armour, Part-time Power Measurements, 2023)."""
AVERAGE_SECONDS = 1.2
"""The same of NVML's usual power: nvml.h says 1 s from Ampere on (but GA100), and 0.2 s are for its
renewal. Older GPUs answer sooner, but do not say so."""
RAILS_SECONDS = 0.5
"""The same of a Jetson's power monitors, which are set to take the mean of up to 1024 conversions
of three channels (INA3221 data sheet, table 3), most of them to far fewer."""
RAPL_SECONDS = 0.02
"""The same of RAPL's counters: they are renewed every millisecond (Intel SDM 3B, 15.10.1)."""
GAUGE_WINDOW, COUNTER_WINDOW = 0.35, 0.15
"""Seconds for which a sensor is read: some renewals of a gauge, many of a counter."""
POLL_SECONDS = 0.02
"""Between two readings of a gauge."""
STEADY = 0.10
"""The means of the first and the second half of a load's readings differ by no larger share: else
it was not settled, and has no one power."""
ZONES = {"cuda": ("gpu", "tj"), "cpu": ("cpu", "x86_pkg", "tj")}
"""Words in the names of thermal zones that are of this kind of device, the best first."""
POWERCAP = "sys/class/powercap"
COUNTED = ("package-", "dram")
"""How the names of those RAPL domains begin that add up to processors and memory: the others
(core, uncore, psys) are parts of these, or hold them."""


@dataclass(frozen=True)
class Draw:
    """What a device drew over some time."""

    watts: float | None
    """Mean power; None if unknown."""
    why_unknown: str = ""
    """Why, in words."""


class Sensor(Protocol):
    """Tells the power of a device."""

    source: str
    """What it measures, and who says so."""
    settle_seconds: float
    """How long a load must run before readings are of that load alone."""
    window_seconds: float
    """How long to read it then."""

    def start(self) -> None:
        """Begin a mean."""

    def stop(self) -> Draw:
        """End it."""

    def watts(self) -> float | None:
        """Power of this moment, as far as the sensor tells moments apart."""


class Gauge:
    """A sensor that says how many watts are drawn. A thread reads it while a load runs."""

    window_seconds = GAUGE_WINDOW

    def __init__(self, source: str, settle_seconds: float, ask: Callable[[], float | None]) -> None:
        """ask(): W of the moment; None where the sensor does not answer."""
        self.source = source
        self.settle_seconds = settle_seconds
        self._ask = ask
        self._readings: list[float] = []
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Read it from now on."""
        self._readings = []
        self._ended.clear()
        self._thread = threading.Thread(target=self._poll, daemon=True)
        self._thread.start()

    def _poll(self) -> None:
        while not self._ended.is_set():
            watts = self._ask()
            if watts is not None:
                self._readings.append(watts)
            self._ended.wait(POLL_SECONDS)

    def stop(self) -> Draw:
        """The mean of the readings since ``start``."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        return mean_of(self._readings)

    def watts(self) -> float | None:
        """One reading."""
        return self._ask()


def mean_of(readings: Sequence[float]) -> Draw:
    """The mean of a gauge's readings, if it was steady."""
    half = len(readings) // 2
    if not half:
        return Draw(None, "the sensor did not answer")
    first, second = fmean(readings[:half]), fmean(readings[half:])
    if abs(second - first) > STEADY * max(first, second):
        return Draw(None, f"it went from {first:.3g} W to {second:.3g} W and was not settled")
    return Draw(fmean(readings))


Counts = Sequence[tuple[float, float]]
"""Of each counter: J so far, and J at which it starts anew."""


class Counter:
    """A sensor that counts joules, in one counter or in several that add up."""

    window_seconds = COUNTER_WINDOW

    def __init__(
        self,
        source: str,
        settle_seconds: float,
        ask: Callable[[], Counts | None],
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        """ask(): the counts of the moment; None where one does not answer."""
        self.source = source
        self.settle_seconds = settle_seconds
        self._ask = ask
        self._now = now
        self._first = self._read()

    def _read(self) -> tuple[float, Counts | None]:
        return self._now(), self._ask()

    def start(self) -> None:
        """Take the count."""
        self._first = self._read()

    def stop(self) -> Draw:
        """Joules since ``start`` over the time that this took."""
        began, before = self._first
        ended, after = self._read()
        if before is None or after is None or ended <= began:
            return Draw(None, "the counter did not answer")
        joules = 0.0
        for (count_before, _), (count_after, starts_anew_at) in zip(before, after, strict=True):
            counted = count_after - count_before
            joules += counted if counted >= 0 else counted + starts_anew_at
        if joules <= 0:
            return Draw(None, "the counter stands still")
        return Draw(joules / (ended - began))

    def watts(self) -> float | None:
        """Mean power since it was last asked."""
        draw = self.stop()
        self.start()
        return draw.watts


@dataclass(frozen=True)
class Found:
    """The sensor of a device, or why there is none."""

    sensor: Sensor | None = None
    """None if no sensor tells what this device draws."""
    why_not: str = ""
    """Why there is none, in words, with the way out where there is one."""


def sensor_of(device: Device, root: Path = Path("/"), opened: Any = None) -> Found:
    """The sensor that tells what a device draws.

    opened: what ``nvml.open_device`` returned; by default it is asked by the PCI address. root: the
    folder that holds proc and sys.
    """
    if device.kind == "cpu":
        return _of_processors(root)
    if "integrated" in device.features:
        return _of_module(root)
    if device.facts.get("mig"):
        return Found(why_not="NVML tells the power of the whole GPU, and MIG gives a slice of it")
    if others := device.facts.get("other_processes"):
        processes_use = "other processes use" if others > 1 else "other process uses"
        return Found(why_not=f"{others} {processes_use} this GPU: its power is not this run's own")
    if opened is None:
        opened = nvml.open_device("", device.facts.get("pci", ""))
    if nvml.instant_watts(opened) is not None:
        ask = _asking(nvml.instant_watts, opened)
        return Found(Gauge("GPU board (NVML, instant)", INSTANT_SECONDS, ask))
    if nvml.average_watts(opened) is not None:
        ask = _asking(nvml.average_watts, opened)
        return Found(Gauge("GPU board (NVML, mean of 1 s)", AVERAGE_SECONDS, ask))
    if opened is None:
        return Found(why_not="NVML does not answer: pip install nvidia-ml-py")
    return Found(why_not="NVML does not tell the power of this GPU")


def _asking(question: Callable[[Any], float | None], opened: Any) -> Callable[[], float | None]:
    return lambda: question(opened)


def _of_module(root: Path) -> Found:
    """The rails of a Jetson, whose NVML tells no power."""
    rails = read_power(root)
    if rails.total_w is None:
        return Found(
            why_not="no power monitor of this board can be read: in a container give it /sys "
            "(-v /sys:/sys:ro), else run as root"
        )
    source = f"module ({' + '.join(rails.total_of)})"
    return Found(Gauge(source, RAILS_SECONDS, lambda: read_power(root).total_w))


def _of_processors(root: Path) -> Found:
    """RAPL's counters of all processors and their memory, or the rails of a Jetson."""
    domains = _rapl_domains(root)
    if not domains:
        module = _of_module(root)
        if module.sensor is not None:
            return module
        return Found(why_not="this machine shows no RAPL counter (a virtual machine has none)")
    if any(number(domain / "energy_uj") is None for domain in domains):
        return Found(
            why_not="RAPL's counters are for root: run as root, or sudo chmod a+r "
            f"/{POWERCAP}/intel-rapl:*/energy_uj"
        )
    return Found(
        Counter("processors and their memory (RAPL)", RAPL_SECONDS, lambda: _rapl_joules(domains))
    )


def _rapl_domains(root: Path) -> list[Path]:
    """Folders of the RAPL domains that add up to processors and memory."""
    folders = sorted((root / POWERCAP).glob("intel-rapl:*"))
    return [folder for folder in folders if read(folder / "name").startswith(COUNTED)]


def _rapl_joules(domains: Sequence[Path]) -> Counts | None:
    """The counts of these domains; None where one cannot be read."""
    counts = []
    for domain in domains:
        microjoules = number(domain / "energy_uj")
        if microjoules is None:
            return None
        starts_anew_at = number(domain / "max_energy_range_uj") or 0
        counts.append((microjoules * 1e-6, starts_anew_at * 1e-6))
    return counts


class Watch:
    """Tells the state of a device while it is under load."""

    def __init__(self, device: Device, root: Path = Path("/"), opened: Any = None) -> None:
        """Arguments as of ``sensor_of``."""
        self._device = device
        self._root = root
        self._gpu = nvml.Watch(device, opened)
        self._sensor = sensor_of(device, root, opened).sensor

    def read(self) -> dict[str, Any]:
        """Clocks by NVML, power by whichever sensor there is, temperature, as far as known."""
        state = self._gpu.read()
        watts = self._sensor.watts() if self._sensor else None
        if watts is not None:
            state["power_w"] = watts
        celsius = self._temperature()
        if "temperature_c" not in state and celsius is not None:
            state["temperature_c"] = celsius
        return state

    def _temperature(self) -> float | None:
        """Degrees Celsius of the part that is measured, by the system's thermal zones."""
        if self._device.kind == "cuda" and "integrated" not in self._device.features:
            return None
        zones, _ = temperatures(self._root)
        for word in ZONES[self._device.kind]:
            fitting = [celsius for name, celsius in zones.items() if word in name.lower()]
            if fitting:
                return max(fitting)
        return None
