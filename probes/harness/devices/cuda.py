"""One CUDA GPU as facts, from the driver and, where it answers, NVML."""

from __future__ import annotations

from typing import Any

from kernels.device import Device
from probes.harness.devices import nvml
from probes.harness.devices.driver import ATTRIBUTES, Driver
from probes.records.measurement import RidgelineError

KEPT = (
    "max_threads_per_block",
    "shared_bytes_per_block",
    "shared_bytes_optin",
    "shared_bytes_per_multiprocessor",
    "registers_per_multiprocessor",
    "threads_per_multiprocessor",
    "async_engines",
    "managed_memory",
    "concurrent_managed_access",
    "persisting_l2_bytes",
)
# the driver states the clock of the memory's commands; every type since GDDR5 moves 2 x
DOUBLE_DATA_RATE = 2


def detect(index: int = 0, driver: Driver | None = None) -> Device:
    """The CUDA device of this index. Raises RidgelineError if there is no driver or no such
    device.
    """
    driver = driver or Driver()
    count = driver.count()
    if not 0 <= index < count:
        there = {0: "no CUDA device", 1: "one CUDA device: 0"}.get(
            count, f"{count} CUDA devices: 0 to {count - 1}"
        )
        raise RidgelineError(f"there is no CUDA device {index}; this machine has {there}")
    found = {name: driver.attribute(index, name) for name in ATTRIBUTES}
    pci = f"{found['pci_domain']:08x}:{found['pci_bus']:02x}:{found['pci_device']:02x}.0"
    managed = nvml.facts(nvml.open_device(driver.uuid(index), pci))
    free, total = driver.memory(index)
    return Device(
        kind="cuda",
        index=index,
        name=driver.name(index),
        arch=f"{found['capability_major']}.{found['capability_minor']}",
        units=found["multiprocessors"],
        clock_hz=found["clock_khz"] * 1e3 or managed.get("max_sm_clock_hz"),
        memory_clock_hz=found["memory_clock_khz"] * 1e3 or managed.get("max_memory_clock_hz"),
        memory_bus_bits=found["memory_bus_bits"] or None,
        memory_transfers=DOUBLE_DATA_RATE,
        last_cache_bytes=found["l2_bytes"] or None,
        memory_bytes=total,
        memory_free_bytes=free,
        features=("integrated",) if found["integrated"] else (),
        facts={"gpus": count, **_facts(found, managed, driver, pci)},
        warnings=tuple(nvml.warnings(managed)),
    )


def _facts(
    found: dict[str, int], managed: dict[str, Any], driver: Driver, pci: str
) -> dict[str, Any]:
    limits = {name: found[name] for name in KEPT if found[name]}
    return {
        "driver_version": driver.version(),
        "pci": pci,
        "ecc": bool(found["ecc"]),
        **limits,
        **managed,
    }
