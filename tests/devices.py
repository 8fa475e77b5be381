"""Made-up devices for tests of logic; no test of logic depends on the machine it runs on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kernels.device import Device
from probes.records.measurement import OK, SCHEMA_VERSION, Measurement
from probes.records.tag import Tag

GPU = Device(
    kind="cuda",
    index=0,
    name="Made-up GPU",
    arch="9.0",
    units=100,
    clock_hz=2.0e9,
    memory_clock_hz=3.0e9,
    memory_bus_bits=1000,
    memory_transfers=2,
    last_cache_bytes=50 << 20,
    memory_bytes=64 << 30,
    memory_free_bytes=60 << 30,
)
ARCHITECTURES = (
    *("5.0", "5.2", "6.0", "6.1", "7.0", "7.2", "7.5"),
    *("8.0", "8.6", "8.7", "8.9", "9.0", "10.0", "11.0", "12.0"),
)
"""Compute capabilities that kernels are compiled for: the two NVRTC of the tests know them all."""
FIRST_DISASSEMBLED = 7.5
"""Compute capability from which the disassembler of the Python package reads machine code."""
COMPILE_ONLY = tuple(arch for arch in ARCHITECTURES if float(arch) < FIRST_DISASSEMBLED)
SINCE_VOLTA = tuple(arch for arch in ARCHITECTURES if float(arch) >= 7)
ONE_A_GENERATION = ("7.0", "7.5", "8.0", "8.9", "9.0", "10.0", "12.0")
"""For kernels of many variants: Volta, Turing, Ampere, Ada, Hopper, Blackwell of both kinds."""
CPU = Device(
    kind="cpu",
    index=0,
    name="Made-up CPU",
    arch="zen4",
    units=2,
    last_cache_bytes=1 << 20,
    memory_bytes=8 << 30,
    memory_free_bytes=4 << 30,
    features=("avx512f", "avx512bw", "fma"),
    facts={"cpus": [0, 1]},
)


def gpu(arch: str) -> Device:
    """The made-up GPU as one of this compute capability."""
    return replace(GPU, arch=arch, facts={})


def measurement(ceiling: str, rate: float = 1e12, **changed: Any) -> Measurement:
    """A good row for ``ceiling`` at ``rate`` work per second."""
    seconds = changed.get("seconds_median") or 1e-3
    values: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "device": GPU.name,
        "started": "2030-01-02T03:04:05Z",
        "probe": "made_up",
        "kernel": "fma",
        "backend": "raw",
        "dtype": Tag.parse(ceiling).subject if ceiling.startswith("compute") else "fp64",
        "ceiling": ceiling,
        "params": "{}",
        "status": OK,
        "flops": rate / 1000,
        "bytes": rate / 1000,
        "seconds_median": 1e-3,
        "seconds_best": 0.99 * seconds,
        "seconds_low": 0.998 * seconds,
        "seconds_high": 1.002 * seconds,
        "samples": 12,
        "clock_hz": 1.9e9 if ceiling.startswith("compute") else None,
        "instruction": "FFMA",
    }
    return Measurement(**(values | changed))
