"""Which device to measure, and why: the first usable GPU, or the CPU with the reason."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

from probes.harness.devices import cpu, cuda, jetson
from probes.harness.records import Device, RidgelineError

FORMS = "a number, cuda:NUMBER or cpu"


def choose(
    spec: str | None,
    find_cuda: Callable[[int], Device] = cuda.detect,
    cupy_problem: Callable[[Device], str] | None = None,
) -> tuple[Device, str]:
    """The device of ``spec`` (None: the best there is) and one sentence why. Raises RidgelineError."""
    problem = cupy_problem or why_no_cupy
    if spec is None:
        return _best(find_cuda, problem)
    if spec == "cpu":
        return cpu.detect(), "the CPU, as asked"
    index = _index(spec)
    device = jetson.enrich(find_cuda(index))
    if reason := problem(device):
        raise RidgelineError(f"cannot use CUDA device {index} ({device.name}): {reason}")
    return device, f"CUDA device {index}, as asked"


def _best(find_cuda: Callable[[int], Device], problem: Callable[[Device], str]) -> tuple[Device, str]:
    try:
        device = jetson.enrich(find_cuda(0))
    except RidgelineError as error:
        return cpu.detect(), f"the CPU, because {str(error).removesuffix(': use --device cpu')}"
    if reason := problem(device):
        return cpu.detect(), f"the CPU, because the GPU ({device.name}) cannot be used yet: {reason}"
    return device, "CUDA device 0, the first usable GPU"


def _index(spec: str) -> int:
    text = spec.removeprefix("cuda").removeprefix(":") or "0"
    if not text.isdecimal() or (spec != "cuda" and spec.startswith("cuda") and ":" not in spec):
        raise RidgelineError(f"--device {spec!r} is no device; it takes {FORMS}")
    return int(text)


def extra(device: Device) -> str:
    """The optional dependencies that fit this GPU and driver: CUDA 13 dropped what is older than Turing."""
    driver = float(device.facts.get("driver_version") or 0)
    return "cu13" if driver >= 13 and float(device.arch) >= 7.5 else "cu12"


def why_no_cupy(device: Device) -> str:
    """Why CuPy cannot drive this device, with the one command that mends it; nothing if it can."""
    install = f"pip install -e '.[{extra(device)}]'"
    if importlib.util.find_spec("cupy") is None:
        return f"CuPy is not installed: {install}"
    try:
        import cupy

        if cupy.cuda.runtime.getDeviceCount() > device.index:
            return ""
        return f"CuPy sees only {cupy.cuda.runtime.getDeviceCount()} devices: check CUDA_VISIBLE_DEVICES"
    except Exception as error:  # an import or a driver of the wrong CUDA fails in many ways
        line = " ".join(str(error).split())[:200]
        return f"the installed CuPy does not work here ({type(error).__name__}: {line}): {install}"
