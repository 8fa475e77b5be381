"""What NVIDIA's management library (NVML) adds: clocks, power, throttling, other processes.

It is never required: where it does not answer, these facts are missing.
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
    """(library, handle) of the device with this UUID, or else with this PCI address.

    None where NVML does not answer. An index would not do: CUDA_VISIBLE_DEVICES renumbers CUDA's
    devices, but not NVML's.
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


def ask(nv: Any, question: str, *arguments: Any) -> Any:
    """NVML's answer, or None where this library or device does not know the question."""
    try:
        return getattr(nv, question)(*arguments)
    except Exception:
        return None


def facts(opened: Any) -> dict[str, Any]:
    """What does not change during a run, and ``at_start``: a ``sample`` of what does.

    opened: what ``open_device`` returned. Facts that are unknown are left out, but that no answer
    about other processes counts as none.
    """
    if opened is None:
        return {}
    nv, handle = opened
    driver = ask(nv, "nvmlSystemGetDriverVersion")
    if isinstance(driver, bytes):
        driver = driver.decode()
    limit = ask(nv, "nvmlDeviceGetEnforcedPowerLimit", handle)
    ecc = ask(nv, "nvmlDeviceGetEccMode", handle)
    mig = ask(nv, "nvmlDeviceGetMigMode", handle)
    sm_clock = ask(nv, "nvmlDeviceGetMaxClockInfo", handle, nv.NVML_CLOCK_SM)
    memory_clock = ask(nv, "nvmlDeviceGetMaxClockInfo", handle, nv.NVML_CLOCK_MEM)
    processes = ask(nv, "nvmlDeviceGetComputeRunningProcesses", handle) or []
    constant = {
        "driver": driver,
        "power_limit_w": _watts(limit),
        "ecc": bool(ecc[0]) if ecc else None,
        "mig": bool(mig[0]) if mig else None,
        "max_sm_clock_hz": _hertz(sm_clock),
        "max_memory_clock_hz": _hertz(memory_clock),
        "other_processes": sum(process.pid != os.getpid() for process in processes),
    }
    return {**_known(constant), "at_start": sample(opened)}


POWER_INSTANT = 186
"""NVML_FI_DEV_POWER_INSTANT of nvml.h, from driver 530 on."""
UNSIGNED_INT = 1
"""NVML_VALUE_TYPE_UNSIGNED_INT of nvml.h."""


def instant_watts(opened: Any) -> float | None:
    """Power of some last milliseconds; None where this driver or GPU does not tell it."""
    if opened is None:
        return None
    nv, handle = opened
    answers = ask(nv, "nvmlDeviceGetFieldValues", handle, [POWER_INSTANT])
    if not answers or answers[0].nvmlReturn != 0:
        return None
    value = answers[0].value
    is_unsigned_int = answers[0].valueType == UNSIGNED_INT
    return _watts(value.uiVal if is_unsigned_int else value.ullVal)


def average_watts(opened: Any) -> float | None:
    """Mean power of up to the last second: which it is differs between GPUs, as nvml.h says."""
    if opened is None:
        return None
    nv, handle = opened
    return _watts(ask(nv, "nvmlDeviceGetPowerUsage", handle))


def compute_mode(opened: Any) -> int | None:
    """Who may use the GPU: a number of nvmlComputeMode_t in nvml.h; None if unknown."""
    if opened is None:
        return None
    nv, handle = opened
    mode: int | None = ask(nv, "nvmlDeviceGetComputeMode", handle)
    return mode


def power_limits(opened: Any) -> tuple[float | None, float | None]:
    """(limit in force, usual limit) of the GPU's power in W; None if unknown."""
    if opened is None:
        return None, None
    nv, handle = opened
    limit = ask(nv, "nvmlDeviceGetEnforcedPowerLimit", handle)
    usual = ask(nv, "nvmlDeviceGetPowerManagementDefaultLimit", handle)
    return _watts(limit), _watts(usual)


def sample(opened: Any) -> dict[str, Any]:
    """Clocks, power, temperature and throttle reasons at this moment, as far as they are known."""
    if opened is None:
        return {}
    nv, handle = opened
    sm_clock = ask(nv, "nvmlDeviceGetClockInfo", handle, nv.NVML_CLOCK_SM)
    memory_clock = ask(nv, "nvmlDeviceGetClockInfo", handle, nv.NVML_CLOCK_MEM)
    return _known(
        {
            "sm_clock_hz": _hertz(sm_clock),
            "memory_clock_hz": _hertz(memory_clock),
            "power_w": instant_watts(opened) or average_watts(opened),
            "temperature_c": ask(nv, "nvmlDeviceGetTemperature", handle, nv.NVML_TEMPERATURE_GPU),
            "throttle": _throttles(nv, handle),
        }
    )


def _throttles(nv: Any, handle: Any) -> list[str] | None:
    """What holds the clock down now, in words; None if unknown."""
    reasons = ask(nv, "nvmlDeviceGetCurrentClocksEventReasons", handle)
    if reasons is None:  # the name of the same question before driver 535
        reasons = ask(nv, "nvmlDeviceGetCurrentClocksThrottleReasons", handle)
    if reasons is None:
        return None
    return [text for bit, text in THROTTLES.items() if reasons & bit]


def _known(facts: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in facts.items() if value is not None}


def _hertz(megahertz: int | None) -> float | None:
    """A clock as NVML gives it, in Hz; a clock of 0 is no answer."""
    return megahertz * 1e6 if megahertz else None


def _watts(milliwatts: int | None) -> float | None:
    """A power as NVML gives it, in W; a power of 0 is no answer."""
    return milliwatts / 1000 if milliwatts else None


class Watch:
    """Reads the state of a GPU between cases."""

    def __init__(self, device: Device, opened: Any = None) -> None:
        """opened: what ``open_device`` returned; by default it finds the device's PCI address."""
        pci = device.facts.get("pci", "")
        if not opened and device.kind == "cuda" and pci:
            opened = open_device("", pci)
        self._opened = opened or None

    def read(self) -> dict[str, Any]:
        """``sample`` of this moment; empty where NVML does not answer."""
        return sample(self._opened)


def warnings(device_facts: dict[str, Any]) -> list[str]:
    """What falsifies a measurement, of these facts (as ``facts`` returns them), in words."""
    throttles = device_facts.get("at_start", {}).get("throttle", ())
    sentences = [f"the GPU's clock is held down: {reason}" for reason in throttles]
    if device_facts.get("mig"):
        sentences.append(
            "MIG is on: this is a slice of a GPU, and its peaks are those of the slice"
        )
    if others := device_facts.get("other_processes"):
        processes_use = "processes use" if others > 1 else "process uses"
        sentences.append(f"{others} other {processes_use} this GPU: numbers may be low")
    return sentences
