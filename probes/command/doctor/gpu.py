"""What a GPU needs: hardware, permissions, driver, CuPy, compilers; and what holds it back."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from kernels.cuda.disassembly import disassembler
from kernels.cuda.nvrtc import INSTALL, compilers
from kernels.device import Device
from probes.command.doctor.finding import FINE, LACKS, SPOILS, STOPS, Finding, of_warning
from probes.command.doctor.host import CONTAINERS
from probes.command.doctor.place import Place
from probes.harness.devices import nvml, power
from probes.harness.devices.choose import extra, why_no_cupy
from probes.harness.devices.reading import read

NVIDIA = "0x10de"
"""Its number on the PCI bus."""
DISPLAY_CLASSES = ("0x0300", "0x0302")
"""PCI classes of a GPU: VGA and 3D controller."""
NODES = ("nvidiactl", "nvidia[0-9]*", "nvidia-uvm", "nvmap", "nvhost-gpu", "nvgpu/igpu0/*")
"""Device files that a program on a GPU opens: the last three on Jetsons."""
LITTLE_FREE = 2 << 30
"""Bytes of free memory, below which arrays that outgrow the caches may not fit."""
PROHIBITED = 2
"""NVML_COMPUTEMODE_PROHIBITED of nvml.h."""
SLIGHTLY_LESS = 0.97
"""Share of the usual power limit from which one counts as lowered."""


def hardware(root: Path) -> str:
    """What NVIDIA GPU stands in this machine, whether or not it works; empty if none is seen."""
    for folder in sorted((root / "sys/bus/pci/devices").glob("*")):
        is_display = read(folder / "class").startswith(DISPLAY_CLASSES)
        if read(folder / "vendor") == NVIDIA and is_display:
            return f"an NVIDIA GPU at PCI {folder.name}"
    if "nvidia,tegra" in read(root / "proc/device-tree/compatible"):
        return "a Jetson"
    nodes = [node for node in (root / "dev").glob("nvidia[0-9]*") if node.name[6:].isdecimal()]
    return "an NVIDIA GPU" if nodes else ""


def no_driver(why: str, root: Path) -> Finding:
    """That the driver does not work. why: its error, which may end with a way out."""
    value, _, way_out = why.removesuffix(": use --device cpu").rpartition(": ")
    if value:
        return Finding(STOPS, "GPU driver", value, way_out)
    in_container = any((root / file).exists() for file in CONTAINERS)
    if not hardware(root):
        way_out = "use --device cpu"
    elif in_container:
        way_out = "start the container with --gpus all, on a Jetson with --runtime nvidia"
    else:
        way_out = "install NVIDIA's driver, 525 or newer"
    return Finding(STOPS, "GPU driver", why.removesuffix(": use --device cpu"), way_out)


def permissions(place: Place) -> Iterator[Finding]:
    """Device files that this user may not open."""
    for pattern in NODES:
        for node in sorted((place.root / "dev").glob(pattern)):
            if not place.may_use(node, os.R_OK | os.W_OK):
                yield Finding(
                    STOPS,
                    f"/dev/{node.relative_to(place.root / 'dev')}",
                    "may not be opened by this user",
                    "sudo usermod -aG video,render $USER, then log in again",
                )
                return


def libraries(device: Device) -> Iterator[Finding]:
    """CuPy, compiler, disassembler and NVML for this GPU."""
    pip = f"pip install -e '.[{extra(device)}]'"
    if why := why_no_cupy(device):
        value, _, way_out = why.rpartition(": ")
        yield Finding(STOPS, "CuPy", value or why, way_out if value else "")
    else:
        yield Finding(FINE, "CuPy", f"works on {device.name}")
    arch = device.arch.replace(".", "")
    nvrtc = compilers()
    if not nvrtc:
        yield Finding(STOPS, "NVRTC", "the compiler of CUDA kernels is not installed", INSTALL)
    elif not any(compiler.knows(arch) for compiler in nvrtc):
        names = ", ".join(compiler.name for compiler in nvrtc)
        value = f"{names} has no code for compute capability {device.arch}"
        yield Finding(STOPS, "NVRTC", value, pip)
    else:
        yield Finding(FINE, "NVRTC", ", ".join(compiler.name for compiler in nvrtc))
    if disassembler() is None:
        value = "not found, so machine code is not audited"
        yield Finding(LACKS, "nvdisasm", value, "pip install nvidia-cuda-nvdisasm")
    if not _has("numba-cuda") and extra(device) != "cu11":  # Numba itself has CUDA 11's
        yield Finding(LACKS, "numba-cuda", "not installed, so no twins in Numba", pip)
    is_jetson = "jetson" in device.features
    if _has("onnxruntime") and not _has("onnxruntime-gpu") and not is_jetson:
        yield Finding(
            LACKS,
            "onnxruntime-gpu",
            "networks run on the CPU only",
            "pip uninstall onnxruntime, then pip install onnxruntime-gpu",
        )
    elif _has("onnxruntime") and is_jetson:
        value = "no wheel has code for a Jetson: networks run on the CPU only"
        yield Finding(LACKS, "onnxruntime-gpu", value, "take TensorRT's times (README)")


def _has(distribution: str) -> bool:
    """True if a package is installed."""
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def state(device: Device, place: Place, opened: Any) -> Iterator[Finding]:
    """What the GPU warns of, and what NVML tells. opened: what ``nvml.open_device`` returned."""
    for warning in device.warnings:
        mend = _mend(warning)
        what = "board" if "jetson" in device.features and not mend else "GPU"
        yield of_warning(what, warning, mend)
    if note := device.facts.get("emc_clock"):
        value, _, way_out = str(note).partition(": ")
        yield Finding(LACKS, "clock of the memory", value, way_out)
    free = device.memory_free_bytes
    if free is not None and free < LITTLE_FREE:
        value = f"{free / 1e9:.1f} GB free: large arrays may not fit"
        yield Finding(SPOILS, "GPU memory", value, "end who holds it: nvidia-smi")
    if "ecc" in device.facts:
        yield Finding(FINE, "ECC", "on" if device.facts["ecc"] else "off")
    yield from _limits(opened)
    sensor = power.sensor_of(device, place.root, opened)
    if sensor.sensor is None:
        value, _, way_out = sensor.why_not.partition(": ")
        yield Finding(LACKS, "power", f"unknown, {value}", way_out)
    else:
        yield Finding(FINE, "power", sensor.sensor.source)


def _mend(warning: str) -> str:
    """How to mend what a GPU warns of; empty where nothing can."""
    by_word = {
        "other process": "end them: nvidia-smi names them",
        "thermal": "cool it: clean fans, better air",
        "power cap": "raise the limit, as root: nvidia-smi -pl WATTS",
        "power brake": "check its power supply",
        "MIG": "to measure all of it, as root: nvidia-smi -mig 0",
        "capped at": "sudo nvpmodel -m MODE, then sudo jetson_clocks",
    }
    return next((way_out for word, way_out in by_word.items() if word in warning), "")


def _limits(opened: Any) -> Iterator[Finding]:
    """Settings of the GPU that forbid a run, or lower its numbers."""
    if nvml.compute_mode(opened) == PROHIBITED:
        yield Finding(STOPS, "compute mode", "Prohibited", "as root: nvidia-smi -c 0")
    limit, usual = nvml.power_limits(opened)
    if limit and usual and limit < SLIGHTLY_LESS * usual:
        value = f"{limit:.0f} W, usually {usual:.0f} W: its clock falls sooner"
        yield Finding(SPOILS, "power limit", value, f"as root: nvidia-smi -pl {usual:.0f}")


def counters(place: Place) -> Iterator[Finding]:
    """What ``probes.harness.verify`` needs, and nothing else."""
    if shutil.which("ncu") is None:
        return
    restricted = read(place.root / "proc/driver/nvidia/params")
    if "RmProfilingAdminOnly: 1" in restricted:
        yield Finding(
            LACKS,
            "counters",
            "for root only, so no probes.harness.verify",
            "as root: modprobe option NVreg_RestrictProfilingToAdminUsers=0",
        )
