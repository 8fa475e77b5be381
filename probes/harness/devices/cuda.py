"""One CUDA GPU as facts, from the driver and, where it answers, NVML."""

from __future__ import annotations

from kernels.device import Device
from probes.harness.devices import links, nvml
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
"""Attributes of the driver that are facts of a device under the same name, unless they are 0: that
may mean unknown.
"""
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
    attributes = {name: driver.attribute(index, name) for name in ATTRIBUTES}
    pci = _pci_address(driver, index)
    opened = nvml.open_device(driver.uuid(index), pci)
    nvml_facts = nvml.facts(opened)
    peers = {other: _pci_address(driver, other) for other in range(count) if other != index}
    # The driver may tell no clock, as 0.
    clock_hz = attributes["clock_khz"] * 1e3 or nvml_facts.get("max_sm_clock_hz")
    memory_clock_khz = attributes["memory_clock_khz"]
    memory_clock_hz = memory_clock_khz * 1e3 or nvml_facts.get("max_memory_clock_hz")
    free, total = driver.memory(index)
    return Device(
        kind="cuda",
        index=index,
        name=driver.name(index),
        arch=f"{attributes['capability_major']}.{attributes['capability_minor']}",
        units=attributes["multiprocessors"],
        clock_hz=clock_hz,
        memory_clock_hz=memory_clock_hz,
        memory_bus_bits=attributes["memory_bus_bits"] or None,
        memory_transfers=DOUBLE_DATA_RATE,
        last_cache_bytes=attributes["l2_bytes"] or None,
        memory_bytes=total,
        memory_free_bytes=free,
        features=("integrated",) if attributes["integrated"] else (),
        facts={
            "gpus": count,
            "driver_version": driver.version(),
            "pci": pci,
            "ecc": bool(attributes["ecc"]),
            **{name: attributes[name] for name in DRIVER_FACTS if attributes[name]},
            **links.facts(opened, peers),
            **nvml_facts,  # last, since NVML knows better where both tell: ecc
        },
        warnings=tuple(nvml.warnings(nvml_facts)),
    )


def _pci_address(driver: Driver, index: int) -> str:
    """The PCI address of a device as NVML writes it, such as ``00000000:18:00.0``."""
    domain, bus, slot = (
        driver.attribute(index, f"pci_{part}") for part in ("domain", "bus", "device")
    )
    return f"{domain:08x}:{bus:02x}:{slot:02x}.0"  # a GPU is function 0


def count_devices() -> int:
    """How many CUDA devices there are. Raises RidgelineError if there is no driver."""
    return Driver().count()


def _devices(count: int) -> str:
    """How many CUDA devices there are, and their numbers, in words."""
    if count == 0:
        return "no CUDA device"
    if count == 1:
        return "one CUDA device: 0"
    return f"{count} CUDA devices: 0 to {count - 1}"
