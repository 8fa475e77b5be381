"""Which device to measure, and why: the first usable GPU, or the CPU with the reason."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from kernels.base import one_line
from kernels.device import Device
from probes.harness.devices import cpu, cuda, jetson
from probes.records.measurement import RidgelineError

FORMS = "a number, cuda, cuda:NUMBER or cpu"
OLDEST_CUDA = 11.2
"""What CuPy's packages of the extras need; drivers 525 and 580 were the first of CUDA 12 and 13."""
OLDEST_ARCH_OF_CUDA_13 = 7.5  # compute capability: CUDA 13 dropped what is older than Turing


def choose(
    spec: str | None,
    find_cuda: Callable[[int], Device] = cuda.detect,
    cupy_problem: Callable[[Device], str] | None = None,
) -> tuple[Device, str]:
    """The device of ``spec`` (None: the best there is), and in words why this one.

    Raises RidgelineError where ``spec`` is no device, or its device cannot be used.
    """
    problem = cupy_problem or why_no_cupy
    if spec is None:
        return _best(find_cuda, problem)
    if spec == "cpu":
        return cpu.detect(), "the CPU, as asked"
    index = cuda_index(spec)
    device = jetson.enrich(find_cuda(index))
    if reason := problem(device):
        raise RidgelineError(f"cannot use CUDA device {index} ({device.name}): {reason}")
    return device, f"CUDA device {index}, as asked"


def _best(
    find_cuda: Callable[[int], Device], problem: Callable[[Device], str]
) -> tuple[Device, str]:
    try:
        device = jetson.enrich(find_cuda(0))
    except RidgelineError as error:
        no_gpu = str(error).removesuffix(": use --device cpu")
        return cpu.detect(), f"the CPU, because {no_gpu}"
    if reason := problem(device):
        why = f"the CPU, because the GPU ({device.name}) cannot be used yet: {reason}"
        return cpu.detect(), why
    return device, "CUDA device 0, the first usable GPU"


def cuda_index(spec: str) -> int:
    """The number of the CUDA device that ``spec`` names; ``cuda`` is the first."""
    match = re.fullmatch(r"cuda|(?:cuda:)?([0-9]+)", spec)
    if not match:
        raise RidgelineError(f"--device {spec!r} is no device; it takes {FORMS}")
    return int(match[1] or 0)


def _cuda_of_driver(device: Device) -> float:
    """The newest CUDA that the driver supports; 0 if unknown."""
    return float(device.facts.get("driver_version") or 0)


def extra(device: Device) -> str:
    """Name of the optional dependencies that fit this GPU and driver."""
    cuda_of_driver = _cuda_of_driver(device)
    if cuda_of_driver >= 13 and float(device.arch) >= OLDEST_ARCH_OF_CUDA_13:
        return "cu13"
    if 0 < cuda_of_driver < 12:
        return "cu11"
    return "jetson" if "jetson" in device.features else "cu12"


def _way_out(device: Device, first: str = "") -> str:
    """The command that installs a fitting CuPy, after ``first``, or the driver it would need."""
    if 0 < _cuda_of_driver(device) < OLDEST_CUDA:
        version = device.facts["driver_version"]
        return (
            f"its driver knows CUDA {version} only: install driver 525 or newer (on a Jetson, "
            "JetPack 5 or newer)"
        )
    return f"{first}pip install -e '.[{extra(device)}]'"


def _cupy() -> Any:
    import cupy

    return cupy


def why_no_cupy(device: Device, load: Callable[[], Any] = _cupy) -> str:
    """Why CuPy cannot drive this device, with the command that mends it; empty if it can."""
    uninstall = "pip uninstall -y cupy-cuda11x cupy-cuda12x cupy-cuda13x && "
    try:
        runtime = load().cuda.runtime
        count = runtime.getDeviceCount()
        version = runtime.runtimeGetVersion()
    except Exception as error:  # an import or a driver of the wrong CUDA fails in many ways
        if isinstance(error, ModuleNotFoundError) and error.name == "cupy":
            return f"CuPy is not installed: {_way_out(device)}"
        why = f"{type(error).__name__}: {one_line(error)}"
        return f"the installed CuPy does not work here ({why}): {_way_out(device, uninstall)}"
    if count <= device.index:
        return f"CuPy sees only {count} devices: check CUDA_VISIBLE_DEVICES"
    if version >= 13000 and float(device.arch) < OLDEST_ARCH_OF_CUDA_13:
        return (
            f"CuPy of CUDA 13 has no code for compute capability {device.arch}: "
            f"{_way_out(device, uninstall)}"
        )
    return ""
