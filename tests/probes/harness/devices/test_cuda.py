"""A GPU's facts from a made-up driver, and a plain word where there is none."""

from __future__ import annotations

import ctypes
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kernels.device import Device
from probes.harness.devices import cuda, nvml
from probes.harness.devices.driver import ATTRIBUTES, Driver
from probes.records.measurement import RidgelineError
from tests.devices import CPU, GPU

FACTS = {
    "clock_khz": 1980000,
    "multiprocessors": 132,
    "memory_clock_khz": 3201000,
    "memory_bus_bits": 6016,
    "l2_bytes": 62914560,
    "capability_major": 9,
    "capability_minor": 0,
    "shared_bytes_optin": 232448,
    "ecc": 1,
}


FIRST_HANDLE = 70
"""Of device 0: a device's handle is no index, and must not be taken for one."""


class Library:
    """libcuda with ``count`` devices of these facts; attributes not named are unknown to it."""

    def __init__(self, count: int = 1, init: int = 0, **facts: int) -> None:
        self._count, self._init, self._facts = count, init, FACTS | facts
        self.retained = self.pushed = 0
        """Contexts that are held and not yet given back."""
        self.memory_error = 0
        """What the driver answers when it is asked for its memory: no error."""

    def cuInit(self, _: int) -> int:
        return self._init

    def cuGetErrorName(self, code: int, out: Any) -> int:
        names = {
            2: b"CUDA_ERROR_OUT_OF_MEMORY",
            100: b"CUDA_ERROR_NO_DEVICE",
            803: b"CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
            804: b"CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE",
        }
        out._obj.value = names.get(code)
        return 0

    def cuDeviceGetCount(self, out: Any) -> int:
        out._obj.value = self._count
        return 0

    def cuDriverGetVersion(self, out: Any) -> int:
        out._obj.value = 12040
        return 0

    def cuDeviceGet(self, out: Any, index: int) -> int:
        out._obj.value = index + FIRST_HANDLE
        return 0

    def cuDeviceGetAttribute(self, out: Any, attribute: int, handle: int) -> int:
        assert handle >= FIRST_HANDLE
        name = next(name for name, number in ATTRIBUTES.items() if number == attribute)
        out._obj.value = self._facts.get(name, 0)
        return 0 if name in self._facts else 1

    def cuDeviceGetName(self, out: Any, length: int, handle: int) -> int:
        ctypes.memmove(out, b"NVIDIA Made-up 200\0", 19)
        return 0

    def cuDeviceGetUuid(self, out: Any, handle: int) -> int:
        ctypes.memmove(out, bytes(range(16)), 16)
        return 0

    def cuDevicePrimaryCtxRetain(self, out: Any, handle: int) -> int:
        self.retained += 1
        return 0

    def cuDevicePrimaryCtxRelease_v2(self, handle: int) -> int:
        self.retained -= 1
        return 0

    def cuCtxPushCurrent_v2(self, context: Any) -> int:
        self.pushed += 1
        return 0

    def cuCtxPopCurrent_v2(self, context: Any) -> int:
        self.pushed -= 1
        return 0

    def cuMemGetInfo_v2(self, free: Any, total: Any) -> int:
        free._obj.value, total._obj.value = 140_000_000_000, 150_000_000_000
        return self.memory_error


def test_facts_come_from_the_driver() -> None:
    library = Library()
    device = cuda.detect(0, Driver(library))
    assert (device.name, device.arch, device.units) == ("NVIDIA Made-up 200", "9.0", 132)
    assert (device.clock_hz, device.memory_clock_hz, device.memory_bus_bits) == (
        1.98e9,
        3.201e9,
        6016,
    )
    assert (device.last_cache_bytes, device.memory_free_bytes) == (62914560, 140_000_000_000)
    assert device.facts["driver_version"] == "12.4"
    assert device.facts["shared_bytes_optin"] == 232448
    assert library.retained == 0, "the context is given back"


def test_what_a_newer_driver_does_not_say_is_unknown_not_zero() -> None:
    device = cuda.detect(0, Driver(Library(clock_khz=0, memory_clock_khz=0)))
    assert device.clock_hz is None
    assert device.memory_clock_hz is None


def test_an_integrated_gpu_says_so() -> None:
    assert cuda.detect(0, Driver(Library(integrated=1))).features == ("integrated",)


@pytest.mark.parametrize(
    ("count", "message"),
    [
        (0, "no CUDA device"),
        (1, "this machine has one CUDA device: 0"),
        (4, "4 CUDA devices: 0 to 3"),
    ],
)
def test_an_index_too_high_names_what_there_is(count: int, message: str) -> None:
    with pytest.raises(RidgelineError, match=message):
        cuda.detect(7, Driver(Library(count=count)))


def test_a_driver_that_fails_is_named_with_its_error() -> None:
    with pytest.raises(
        RidgelineError, match=r"CUDA_ERROR_SYSTEM_DRIVER_MISMATCH \(803\) to cuInit"
    ):
        Driver(Library(init=803))


OF_THE_DRIVER = "/usr/lib/aarch64-linux-gnu/nvidia/libcuda.so.1.1"
OF_COMPAT = "/usr/local/cuda-12.8/compat/libcuda.so.1.1"


@pytest.mark.parametrize("code", [803, 804])
@pytest.mark.parametrize("path", [OF_THE_DRIVER, OF_COMPAT])
def test_a_driver_library_that_does_not_fit_names_cuda_compat(
    tmp_path: Path, code: int, path: str
) -> None:
    maps = tmp_path / "maps"
    maps.write_text(
        f"ffff8000-ffff9000 r-xp 00000000 b3:01 1234  {path}\n"
        "ffff9000-ffffa000 r-xp 00000000 b3:01 1235  /usr/local/cuda-12.8/compat/libother.so\n"
    )
    with pytest.raises(RidgelineError, match="cuda-compat") as error:
        Driver(Library(init=code), maps)
    assert (OF_COMPAT in str(error.value)) == (path == OF_COMPAT)


def test_where_loaded_files_are_not_listed_the_error_is_told_all_the_same(tmp_path: Path) -> None:
    with pytest.raises(RidgelineError, match=r"\(803\) to cuInit: .*cuda-compat"):
        Driver(Library(init=803), tmp_path / "none")


def test_no_visible_gpu_points_to_the_cpu() -> None:
    with pytest.raises(
        RidgelineError,
        match=r"CUDA_ERROR_NO_DEVICE \(100\).*CUDA_VISIBLE_DEVICES.*use --device cpu$",
    ):
        Driver(Library(init=100))


def test_a_driver_too_old_to_be_asked_is_named_so() -> None:
    with pytest.raises(
        RidgelineError, match="driver is too old, it has no cuInit: install 525 or newer"
    ):
        Driver(object())


def test_the_context_is_given_back_after_a_failure_too() -> None:
    library = Library()
    library.memory_error = 2  # CUDA_ERROR_OUT_OF_MEMORY
    with pytest.raises(RidgelineError, match="CUDA_ERROR_OUT_OF_MEMORY"):
        Driver(library).memory(0)
    assert (library.retained, library.pushed) == (0, 0)


def test_a_uuid_has_the_form_of_the_management_library() -> None:
    assert Driver(Library()).uuid(0) == "GPU-00010203-0405-0607-0809-0a0b0c0d0e0f"


class Management:
    """A made-up pynvml, of a slice of a GPU that is hot and shared.

    It cannot tell the power limit.
    """

    NVML_CLOCK_SM, NVML_CLOCK_MEM, NVML_TEMPERATURE_GPU = 1, 2, 0

    def __getattr__(self, name: str) -> Any:
        idle, software_power_cap, hardware_thermal_slowdown = 0x1, 0x4, 0x40
        reasons = idle | software_power_cap | hardware_thermal_slowdown
        answers: dict[str, Any] = {
            "nvmlDeviceGetMigMode": (1, 1),
            "nvmlDeviceGetEccMode": (1, 1),
            "nvmlDeviceGetComputeRunningProcesses": [
                SimpleNamespace(pid=1),
                SimpleNamespace(pid=2),
            ],
            "nvmlDeviceGetCurrentClocksThrottleReasons": reasons,
            "nvmlDeviceGetPowerUsage": 650_500,
            "nvmlDeviceGetTemperature": 88,
            "nvmlDeviceGetClockInfo": 1200,
            "nvmlDeviceGetMaxClockInfo": 1980,
            "nvmlSystemGetDriverVersion": b"580.1",
        }
        if name not in answers:
            raise RuntimeError("not supported")
        return lambda *_: answers[name]


def test_management_facts_become_warnings() -> None:
    facts = nvml.facts((Management(), None))
    assert facts["driver"] == "580.1"
    assert facts["at_start"]["power_w"] == 650.5
    assert facts["max_sm_clock_hz"] == 1.98e9
    assert "power_limit_w" not in facts
    warnings = " ".join(nvml.warnings(facts))
    for text in (
        "software power cap",
        "hardware thermal slowdown",
        "MIG is on",
        "2 other processes use",
    ):
        assert text in warnings
    assert "idle" not in warnings


class NewerManagement(Management):
    """The same from a driver that has renamed the reasons for throttling."""

    def __getattr__(self, name: str) -> Any:
        if "ThrottleReasons" in name:
            raise RuntimeError("not supported")
        return super().__getattr__(name.replace("EventReasons", "ThrottleReasons"))


def test_the_state_between_cases_can_be_watched() -> None:
    for library in (Management(), NewerManagement()):
        assert nvml.Watch(GPU, (library, None)).read() == {
            "sm_clock_hz": 1.2e9,
            "memory_clock_hz": 1.2e9,
            "power_w": 650.5,
            "temperature_c": 88,
            "throttle": ["software power cap", "hardware thermal slowdown"],
        }


@pytest.mark.parametrize("device", [GPU, CPU], ids=["a GPU unknown to it", "a CPU"])
def test_what_cannot_be_watched_reads_empty(device: Device) -> None:
    assert nvml.Watch(device).read() == {}


def test_without_management_there_are_no_facts_and_no_failure() -> None:
    assert nvml.facts(None) == {}
    assert nvml.warnings({}) == []
