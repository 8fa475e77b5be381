"""What NVIDIA's management library adds: clocks now, power, throttling, other processes. Never
required.
"""

from __future__ import annotations

import os
from typing import Any

from kernels.device import Device

THROTTLES = {
    0x4: "software power cap",
    0x8: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "hardware power brake",
}
"""Clock event reasons that falsify a number (nvml.h). Not those of choice: idle 0x1, application
clocks 0x2, sync boost 0x10, display clocks 0x100."""


def open_device(uuid: str, pci: str) -> Any:
    """(library, handle) of the device with this UUID, else this PCI address; None where NVML does
    not answer.

    By identity, not by index: CUDA_VISIBLE_DEVICES renumbers CUDA's devices, not NVML's.
    """
    try:
        import pynvml

        pynvml.nvmlInit()
        try:
            return pynvml, pynvml.nvmlDeviceGetHandleByUUID(uuid.encode())
        except pynvml.NVMLError:
            return pynvml, pynvml.nvmlDeviceGetHandleByPciBusId(pci.encode())
    except Exception:  # a missing package, library or device, or a Jetson: all mean the same here
        return None


def _ask(nv: Any, question: str, *arguments: Any) -> Any:
    """The answer, or None where this library or device does not know the question."""
    try:
        return getattr(nv, question)(*arguments)
    except Exception:
        return None


def facts(opened: Any) -> dict[str, Any]:
    """What does not change during a run, and ``at_start`` a sample of what does. Empty without
    NVML.
    """
    if opened is None:
        return {}
    nv, handle = opened
    limit, ecc = (
        _ask(nv, "nvmlDeviceGetEnforcedPowerLimit", handle),
        _ask(nv, "nvmlDeviceGetEccMode", handle),
    )
    mig, driver = _ask(nv, "nvmlDeviceGetMigMode", handle), _ask(nv, "nvmlSystemGetDriverVersion")
    processes = _ask(nv, "nvmlDeviceGetComputeRunningProcesses", handle) or []
    found = {
        "driver": driver.decode() if isinstance(driver, bytes) else driver,
        "power_limit_w": limit / 1000 if limit else None,
        "ecc": bool(ecc[0]) if ecc else None,
        "mig": bool(mig[0]) if mig else None,
        "max_sm_clock_hz": _hertz(_ask(nv, "nvmlDeviceGetMaxClockInfo", handle, nv.NVML_CLOCK_SM)),
        "max_memory_clock_hz": _hertz(
            _ask(nv, "nvmlDeviceGetMaxClockInfo", handle, nv.NVML_CLOCK_MEM)
        ),
        "other_processes": sum(p.pid != os.getpid() for p in processes),
    }
    return {key: value for key, value in found.items() if value is not None} | {
        "at_start": sample(opened)
    }


def sample(opened: Any) -> dict[str, Any]:
    """Clocks, power, temperature and throttle reasons at this moment. Empty without NVML."""
    if opened is None:
        return {}
    nv, handle = opened
    power = _ask(nv, "nvmlDeviceGetPowerUsage", handle)
    reasons = _ask(nv, "nvmlDeviceGetCurrentClocksEventReasons", handle)
    if reasons is None:  # its name before driver 535
        reasons = _ask(nv, "nvmlDeviceGetCurrentClocksThrottleReasons", handle)
    found = {
        "sm_clock_hz": _hertz(_ask(nv, "nvmlDeviceGetClockInfo", handle, nv.NVML_CLOCK_SM)),
        "memory_clock_hz": _hertz(_ask(nv, "nvmlDeviceGetClockInfo", handle, nv.NVML_CLOCK_MEM)),
        "power_w": power / 1000 if power else None,
        "temperature_c": _ask(nv, "nvmlDeviceGetTemperature", handle, nv.NVML_TEMPERATURE_GPU),
        "throttle": None
        if reasons is None
        else [text for bit, text in THROTTLES.items() if reasons & bit],
    }
    return {key: value for key, value in found.items() if value is not None}


class Watch:
    """The same GPU between cases: ``read()`` is its sample at that moment, empty where NVML does
    not answer.

    opened: what ``open_device`` gives (default: found by the device's PCI address).
    """

    def __init__(self, device: Device, opened: Any = None) -> None:
        pci = device.facts.get("pci", "")
        self._opened = opened or (open_device("", pci) if device.kind == "cuda" and pci else None)

    def read(self) -> dict[str, Any]:
        """sm_clock_hz, memory_clock_hz, power_w, temperature_c, throttle (names): those that are
        known.
        """
        return sample(self._opened)


def _hertz(megahertz: int | None) -> float | None:
    return megahertz * 1e6 if megahertz else None


def warnings(found: dict[str, Any]) -> list[str]:
    """What of these facts falsifies a measurement, in plain sentences."""
    said = [
        f"the GPU's clock is held down: {reason}"
        for reason in found.get("at_start", {}).get("throttle", ())
    ]
    if found.get("mig"):
        said.append("MIG is on: this is a slice of a GPU, and its peaks are those of the slice")
    if others := found.get("other_processes"):
        said.append(
            f"{others} other process{'es use' if others > 1 else ' uses'} this GPU: "
            "numbers may be low"
        )
    return said
