"""Which device is taken, why, and what to do where the one asked for cannot be used."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from kernels.device import Device
from probes.harness.devices import choose
from probes.records.measurement import RidgelineError
from tests.devices import GPU


def detect(index: int) -> Device:
    """The made-up GPU, wherever it is looked for."""
    return replace(GPU, index=index)


def detect_none(_: int) -> Device:
    """The error of a machine without a driver."""
    raise RidgelineError(
        "no NVIDIA driver on this machine (libcuda.so.1 is not found): use --device cpu"
    )


def usable(_: Device) -> str:
    """Nothing keeps CuPy from using the device."""
    return ""


def test_the_gpu_is_taken_where_it_works() -> None:
    device, why = choose.choose(None, detect, usable)
    assert (device.kind, device.index) == ("cuda", 0)
    assert "first usable GPU" in why


def test_the_cpu_is_taken_with_the_reason_where_there_is_no_driver() -> None:
    device, why = choose.choose(None, detect_none, usable)
    assert device.kind == "cpu"
    assert why == "the CPU, because no NVIDIA driver on this machine (libcuda.so.1 is not found)"


def test_a_gpu_without_cupy_gets_the_one_command() -> None:
    def no_cupy(device: Device) -> str:
        return f"CuPy is not installed: pip install -e '.[{choose.extra(device)}]'"

    device, why = choose.choose(None, detect, no_cupy)
    assert device.kind == "cpu"
    assert "Made-up GPU" in why
    assert "pip install -e '.[cu12]'" in why
    with pytest.raises(RidgelineError, match=r"cannot use CUDA device 2.*pip install"):
        choose.choose("2", detect, no_cupy)


@pytest.mark.parametrize(
    ("driver", "capability", "extra"),
    [
        ("13.0", "9.0", "cu13"),
        ("13.2", "7.0", "cu12"),
        ("12.4", "9.0", "cu12"),
        ("", "8.0", "cu12"),
        ("11.4", "8.0", "cu11"),
    ],
)
def test_the_extra_fits_driver_and_gpu(driver: str, capability: str, extra: str) -> None:
    assert choose.extra(replace(GPU, arch=capability, facts={"driver_version": driver})) == extra


@pytest.mark.parametrize(("spec", "index"), [("0", 0), ("3", 3), ("cuda", 0), ("cuda:1", 1)])
def test_a_gpu_may_be_asked_for_in_several_forms(spec: str, index: int) -> None:
    assert choose.choose(spec, detect, usable)[0].index == index


@pytest.mark.parametrize(
    "spec", ["gpu", "-1", "cuda1", "cuda:x", "cuda:", ":1", "", "1.5", "cpu0", "²"]
)
def test_what_is_no_device_is_named_with_what_is(spec: str) -> None:
    with pytest.raises(
        RidgelineError, match=r"is no device; it takes a number, cuda, cuda:NUMBER or cpu"
    ):
        choose.choose(spec, detect, usable)


def cupy(count: int = 1, version: int = 12090) -> Any:
    """A made-up CuPy of this CUDA version that sees ``count`` devices."""
    runtime = SimpleNamespace(getDeviceCount=lambda: count, runtimeGetVersion=lambda: version)
    return lambda: SimpleNamespace(cuda=SimpleNamespace(runtime=runtime))


def failing(error: Exception) -> Any:
    """A CuPy that raises this error when it is loaded."""

    def load() -> Any:
        raise error

    return load


REINSTALL = "pip uninstall -y cupy-cuda11x cupy-cuda12x cupy-cuda13x && pip install -e '.[cu12]'"


@pytest.mark.parametrize(
    ("device", "load", "reason"),
    [
        (GPU, cupy(), ""),
        (replace(GPU, arch="7.0"), cupy(version=12090), ""),
        (
            GPU,
            failing(ModuleNotFoundError("no", name="cupy")),
            "CuPy is not installed: pip install -e '.[cu12]'",
        ),
        (
            GPU,
            failing(RuntimeError("cudaErrorInsufficientDriver:\n  too old")),
            (
                "the installed CuPy does not work here (RuntimeError: cudaErrorInsufficientDriver: "
                f"too old): {REINSTALL}"
            ),
        ),
        (
            GPU,
            failing(ModuleNotFoundError("no", name="numpy")),
            "CuPy does not work here (ModuleNotFoundError: no)",
        ),
        (replace(GPU, index=2), cupy(2), "CuPy sees only 2 devices: check CUDA_VISIBLE_DEVICES"),
        (
            replace(GPU, arch="7.0"),
            cupy(version=13000),
            f"has no code for compute capability 7.0: {REINSTALL}",
        ),
        (
            replace(GPU, facts={"driver_version": "11.4"}),
            failing(ModuleNotFoundError("no", name="cupy")),
            "CuPy is not installed: pip install -e '.[cu11]'",
        ),
        (
            replace(GPU, facts={"driver_version": "10.2"}),
            failing(ModuleNotFoundError("no", name="cupy")),
            "its driver knows CUDA 10.2 only: install driver 525 or newer",
        ),
    ],
)
def test_what_is_wrong_with_cupy_is_told_with_what_mends_it(
    device: Device, load: Any, reason: str
) -> None:
    problem = choose.why_no_cupy(device, load)
    if reason:
        assert reason in problem
    else:
        assert problem == ""
    assert "\n" not in problem


def test_a_jetson_takes_its_own_extra() -> None:
    jetson = replace(
        GPU, arch="8.7", features=("integrated", "jetson"), facts={"driver_version": "12.6"}
    )
    assert choose.extra(jetson) == "jetson"
    assert choose.extra(replace(jetson, facts={"driver_version": "13.0"})) == "cu13"
    assert choose.extra(replace(jetson, facts={"driver_version": "11.4"})) == "cu11"
