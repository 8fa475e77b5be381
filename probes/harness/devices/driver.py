"""What the CUDA driver says of its devices, asked directly: that needs no CuPy and no toolkit."""

from __future__ import annotations

import ctypes
from itertools import pairwise
from pathlib import Path
from typing import Any

from probes.records.measurement import RidgelineError

LIBRARIES = ("libcuda.so.1", "libcuda.so", "nvcuda.dll")
"""Names of the driver's library, the first two on Linux, the last on Windows."""

ATTRIBUTES = {
    "max_threads_per_block": 1,
    "shared_bytes_per_block": 8,
    "clock_khz": 13,
    "multiprocessors": 16,
    "integrated": 18,
    "ecc": 32,
    "pci_bus": 33,
    "pci_device": 34,
    "memory_clock_khz": 36,
    "memory_bus_bits": 37,
    "l2_bytes": 38,
    "threads_per_multiprocessor": 39,
    "async_engines": 40,
    "pci_domain": 50,
    "capability_major": 75,
    "capability_minor": 76,
    "shared_bytes_per_multiprocessor": 81,
    "registers_per_multiprocessor": 82,
    "managed_memory": 83,
    "fp32_over_fp64": 87,  # throughputs: 2 on a GPU for double precision, 32 or 64 elsewhere
    "concurrent_managed_access": 89,
    "shared_bytes_optin": 97,  # of a block of a kernel that asks for more than the usual
    "persisting_l2_bytes": 108,
}
"""Numbers of CUdevice_attribute in cuda.h, by our names."""

WAYS_OUT = {
    2: "another process holds the GPU's memory: see nvidia-smi",
    34: "the library is a stub for linkers: take CUDA's folder stubs off LD_LIBRARY_PATH",
    46: "another process holds the GPU for itself: see nvidia-smi",
    100: "no GPU is visible (hidden by CUDA_VISIBLE_DEVICES?): use --device cpu",
    803: "the driver's library and kernel module differ: restart the machine after an update of "
    "the driver; with cuda-compat take the one for this driver or JetPack",
    804: "cuda-compat serves no GPU of this kind: remove it, or take it off LD_LIBRARY_PATH",
    999: "the driver does not start: in a container its library must be the host's, and the user "
    "needs its devices (on a Jetson, the groups video and render)",
}
"""What to do about the errors that a working program meets, by their CUresult in cuda.h."""
COMPATIBLE = "compat"
"""In the path of a library of cuda-compat, which serves a newer CUDA on an older driver."""
OF_COMPATIBLE = (803, 804)
"""CUresults that cuda-compat causes where it does not fit."""


class Driver:
    """The loaded driver. Its methods raise RidgelineError where the driver answers an error."""

    def __init__(self, library: Any = None, maps: Path = Path("/proc/self/maps")) -> None:
        """Load the driver, or take ``library`` for it. Raises RidgelineError if none works.

        maps: where the system lists the files that this process has loaded.
        """
        self._library = library or _load()
        self._maps = maps
        self._call("cuInit", 0)

    def _call(self, name: str, *arguments: Any) -> None:
        """Call a function of the driver; raise RidgelineError where it is missing or fails."""
        try:
            code = getattr(self._library, name)(*arguments)
        except AttributeError:
            raise RidgelineError(
                f"the NVIDIA driver is too old, it has no {name}: install 525 or newer"
            ) from None
        if code:
            way_out = WAYS_OUT.get(code, "check it with nvidia-smi")
            if code in OF_COMPATIBLE and (path := self._compatible()):
                way_out = (
                    f"{path} is of a cuda-compat that does not fit this driver: install the one "
                    "for this driver or JetPack, or take its folder off LD_LIBRARY_PATH"
                )
            raise RidgelineError(
                f"the CUDA driver answers {self._error_name(code)} ({code}) to {name}: {way_out}"
            )

    def _compatible(self) -> str:
        """The loaded library's file if it is one of cuda-compat; else empty."""
        try:
            lines = self._maps.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        paths = [line.split(maxsplit=5)[-1] for line in lines if "libcuda.so" in line]
        return next((path for path in paths if COMPATIBLE in path), "")

    def _error_name(self, code: int) -> str:
        """The name of a CUresult in cuda.h, such as ``CUDA_ERROR_NO_DEVICE``."""
        text = ctypes.c_char_p()
        self._library.cuGetErrorName(code, ctypes.byref(text))
        return (text.value or b"an unknown error").decode()

    def _number(self, name: str, *arguments: Any) -> int:
        """The integer that a function writes where its first argument points."""
        value = ctypes.c_int()
        self._call(name, ctypes.byref(value), *arguments)
        return value.value

    def count(self) -> int:
        """How many devices there are."""
        return self._number("cuDeviceGetCount")

    def version(self) -> str:
        """The newest CUDA that this driver supports, as ``13.0``."""
        number = self._number("cuDriverGetVersion")  # 1000 x major + 10 x minor
        major, rest = divmod(number, 1000)
        return f"{major}.{rest // 10}"

    def attribute(self, index: int, name: str) -> int:
        """The value of one of ATTRIBUTES, by our name for it; 0 if this driver cannot tell it."""
        try:
            return self._number("cuDeviceGetAttribute", ATTRIBUTES[name], self._handle(index))
        except RidgelineError:
            return 0

    def _handle(self, index: int) -> int:
        """What the driver calls the device of this index."""
        return self._number("cuDeviceGet", index)

    def name(self, index: int) -> str:
        """The device's marketing name."""
        text = ctypes.create_string_buffer(256)
        self._call("cuDeviceGetName", text, 256, self._handle(index))
        return text.value.decode(errors="replace")

    def uuid(self, index: int) -> str:
        """``GPU-xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx``, as the management library writes it."""
        raw = ctypes.create_string_buffer(16)
        self._call("cuDeviceGetUuid", raw, self._handle(index))
        digits = raw.raw.hex()
        edges = (0, 8, 12, 16, 20, 32)
        return "GPU-" + "-".join(digits[start:end] for start, end in pairwise(edges))

    def memory(self, index: int) -> tuple[int, int]:
        """Free and total bytes.

        The driver tells them only of the context that is current, so the device's primary one is
        taken for a moment. Other libraries in this process use that one, too: it is given back.
        """
        free = ctypes.c_size_t()
        total = ctypes.c_size_t()
        context = ctypes.c_void_p()
        handle = self._handle(index)
        self._call("cuDevicePrimaryCtxRetain", ctypes.byref(context), handle)
        try:
            self._call("cuCtxPushCurrent_v2", context)
            try:
                self._call("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
            finally:
                self._call("cuCtxPopCurrent_v2", ctypes.byref(context))
        finally:
            self._call("cuDevicePrimaryCtxRelease_v2", handle)
        return free.value, total.value


def _load() -> Any:
    """The driver's library. Raises RidgelineError if there is none."""
    for name in LIBRARIES:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise RidgelineError(
        "no NVIDIA driver on this machine (libcuda.so.1 is not found): use --device cpu"
    )
