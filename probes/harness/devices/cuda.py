"""One CUDA GPU as facts, from the driver and, where it answers, NVML."""

from __future__ import annotations

from kernels.device import Device
from probes.harness.devices import nvml
from probes.harness.devices.driver import ATTRIBUTES, Driver
from probes.records.measurement import RidgelineError

DRIVER_FACTS = (
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
    "fp32_over_fp64",
)
"""Attributes of the driver that are facts of a device under the same name."""
DOUBLE_DATA_RATE = 2
"""Transfers a clock: the driver states the clock of the memory's commands, and every type of memory
since GDDR5 moves twice as much.
"""


def detect(index: int = 0, driver: Driver | None = None) -> Device:
    """The CUDA device of this index. Raises RidgelineError if there is none, or no driver."""
    driver = driver or Driver()
    count = driver.count()
    if not 0 <= index < count:
        raise RidgelineError(f"there is no CUDA device {index}; this machine has {_devices(count)}")
    stated = {name: driver.attribute(index, name) for name in ATTRIBUTES}
    pci = f"{stated['pci_domain']:08x}:{stated['pci_bus']:02x}:{stated['pci_device']:02x}.0"
    managed = nvml.facts(nvml.open_device(driver.uuid(index), pci))
    free, total = driver.memory(index)
    return Device(
        kind="cuda",
        index=index,
        name=driver.name(index),
        arch=f"{stated['capability_major']}.{stated['capability_minor']}",
        units=stated["multiprocessors"],
        clock_hz=stated["clock_khz"] * 1e3 or managed.get("max_sm_clock_hz"),
        memory_clock_hz=stated["memory_clock_khz"] * 1e3 or managed.get("max_memory_clock_hz"),
        memory_bus_bits=stated["memory_bus_bits"] or None,
        memory_transfers=DOUBLE_DATA_RATE,
        last_cache_bytes=stated["l2_bytes"] or None,
        memory_bytes=total,
        memory_free_bytes=free,
        features=("integrated",) if stated["integrated"] else (),
        facts={
            "gpus": count,
            "driver_version": driver.version(),
            "pci": pci,
            "ecc": bool(stated["ecc"]),
            **{name: stated[name] for name in DRIVER_FACTS if stated[name]},
            **managed,
        },
        warnings=tuple(nvml.warnings(managed)),
    )


def _devices(count: int) -> str:
    """So many CUDA devices, and their numbers, in words."""
    if count == 0:
        return "no CUDA device"
    if count == 1:
        return "one CUDA device: 0"
    return f"{count} CUDA devices: 0 to {count - 1}"
