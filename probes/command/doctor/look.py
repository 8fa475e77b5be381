"""Look at everything once, within some seconds, whatever hangs, crashes or raises meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

from kernels.base import one_line
from kernels.device import Device
from probes.command.doctor import gpu, host
from probes.command.doctor.finding import FINE, LACKS, SPOILS, STOPS, Finding
from probes.command.doctor.place import Place
from probes.harness.devices import cuda, jetson, nvml
from probes.harness.devices.choose import cuda_index
from probes.harness.guard import Broken, Guard
from probes.harness.load import Watch
from probes.records.measurement import RidgelineError

WHOLE_SECONDS = 2.3
"""How long all of it may take: with the start of Python less than three seconds."""
LOAD_SECONDS = 0.3
"""For what else runs on the machine."""
THE_CPU = "the CPU"


class Report(NamedTuple):
    """What was found."""

    device: str
    """The device in words, for which it was looked."""
    findings: list[Finding]
    """All of it, in the order in which it was looked at."""


def look(place: Place, asks: Callable[[Place], Any] | None = None) -> Report:
    """Look at this machine.

    asks(place): answers the names of ``GPU_STEPS`` with findings, in a worker; by default it asks
    the driver. Raises RidgelineError where the place names no device.
    """
    begin = time.monotonic()
    if place.spec not in (None, "cpu"):
        cuda_index(place.spec or "")
    watch = Watch(place.root)
    findings: list[Finding] = []
    for check in host.CHECKS:
        findings += safely(check.__name__, partial(check, place))
    device = THE_CPU
    if place.spec != "cpu":
        deadline = begin + WHOLE_SECONDS - LOAD_SECONDS
        device, of_gpu = _gpu(place, asks or _Worker, deadline)
        findings += of_gpu
    if device == THE_CPU:
        findings += safely("board", lambda: host.held_back(place))
    findings += safely("load", lambda: host.load(watch.lap(LOAD_SECONDS)))
    return Report(device, findings)


def safely(name: str, check: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """What a check finds; that it could not look, where it raises anything."""
    findings: list[Finding] = []
    try:
        findings.extend(check())
    except Exception as error:
        why = f"could not be looked at ({type(error).__name__}: {one_line(error)})"
        findings.append(Finding(SPOILS, name, why, "please report it"))
    return findings


class _Worker:
    """Looks at the GPU, in a process that may crash or hang."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._device: Device | None = None

    def __call__(self, step: str) -> list[Finding]:
        """The findings of one of ``GPU_STEPS``."""
        return list(getattr(self, step)())

    def driver(self) -> Iterator[Finding]:
        """The driver, and the device that it shows."""
        index = cuda_index(self._place.spec or "cuda")
        try:
            self._device = jetson.enrich(cuda.detect(index))
        except RidgelineError as error:
            yield gpu.no_driver(str(error), self._place.root)
            return
        facts = self._device.facts
        version = f"CUDA {facts.get('driver_version', 'unknown')}"
        if "driver" in facts:
            version = f"{facts['driver']}, {version}"
        yield Finding(FINE, DEVICE, self._device.name)
        yield Finding(FINE, "GPU driver", version)

    def libraries(self) -> Iterator[Finding]:
        """What runs on it."""
        if self._device is not None:
            yield from gpu.libraries(self._device)

    def state(self) -> Iterator[Finding]:
        """What holds it back."""
        if self._device is None:
            return
        opened = nvml.open_device("", self._device.facts.get("pci", ""))
        if opened is None and "jetson" not in self._device.features:
            yield Finding(LACKS, "NVML", "does not answer", "pip install nvidia-ml-py")
        yield from gpu.state(self._device, self._place, opened)


DEVICE = "device"
"""What the finding is called that holds the name of the GPU."""
GPU_STEPS = ("driver", "state", "libraries")
"""What is asked of a GPU, one after the other: the last imports most, and takes longest."""


def _gpu(place: Place, asks: Callable[[Place], Any], deadline: float) -> tuple[str, list[Finding]]:
    """(the device in words, what was found of the GPU).

    Where no one asks for a GPU and none is seen, that stops nothing: the CPU is measured.
    """
    seen = ""
    for finding in safely("GPU", lambda: [Finding(FINE, "", gpu.hardware(place.root))]):
        seen = finding.value
    guard = Guard(lambda: asks(place), most_starved=1)
    findings: list[Finding] = []
    try:
        for step in GPU_STEPS:
            left = max(0.1, deadline - time.monotonic())
            findings += guard.ask(step, left)
            if any(finding.weight == STOPS for finding in findings):
                break
    except Broken as broken:
        way_out = "nvidia-smi tells whether it works; nvidia-persistenced keeps it awake"
        findings.append(Finding(SPOILS, "GPU", f"not all could be looked at: {broken}", way_out))
    except Exception as error:
        value = f"could not be looked at ({type(error).__name__}: {one_line(error)})"
        findings.append(Finding(SPOILS, "GPU", value))
    finally:
        guard.renew()
    stopped = [finding for finding in findings if finding.weight == STOPS]
    has_device = any(finding.what == DEVICE for finding in findings)
    if place.spec is None and not seen and stopped and not has_device:
        (first, *_) = stopped
        return THE_CPU, [Finding(FINE, "GPU", f"none is seen ({first.value})")]
    if stopped and not has_device:
        findings += safely("permissions", lambda: gpu.permissions(place))
        findings.append(Finding(FINE, "hardware", seen or "no NVIDIA GPU is seen"))
    findings += safely("counters", lambda: gpu.counters(place))
    name = f"CUDA device {place.spec.removeprefix('cuda:') if place.spec else 0}"
    names = [finding.value for finding in findings if finding.what == DEVICE]
    return f"{name} ({names[0]})" if names else name, findings
