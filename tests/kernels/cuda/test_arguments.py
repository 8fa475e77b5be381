"""What a launch hands to its kernel: as many arguments as the .cu file declares, each of its type.

A driver takes raw bytes: a number of the wrong width, or one too few, would be read as something
else.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from kernels.access import cuda as access_cuda
from kernels.bulk import cuda as bulk_cuda
from kernels.cache import cuda as cache_cuda
from kernels.chase.cuda import ChaseKernel
from kernels.cluster import cuda as cluster_cuda
from kernels.cuda import clusters
from kernels.cuda import kernel as cuda_kernel
from kernels.cuda.kernel import CudaKernel
from kernels.fma import cuda as fma_cuda
from kernels.fma import work as fma_work
from kernels.intensity import cuda as intensity_cuda
from kernels.stream.cuda import StreamKernel
from kernels.tensor import cuda as tensor_cuda
from kernels.tensor import work as tensor_work
from kernels.tensor.table import choose
from kernels.window.cuda import WindowKernel
from tests.devices import GPU
from tests.kernels.made_up_cuda import Queue, installed

DEVICE = replace(GPU, units=1, facts={}, last_cache_bytes=1 << 20)
C_TYPES = {"unsigned": np.uint32, "int": np.int32, "u64": np.uint64}
VALUES = {
    "fp64": np.float64,
    "fp32": np.float32,
    "fp16": np.uint32,
    "bf16": np.uint32,
    "int32": np.int32,
    "int8": np.int32,
}
"""Types of a ``value`` of fma.cu, by type of the arithmetic."""


def declared(kernel: CudaKernel, value: Any) -> list[Any]:
    """NumPy types of the entry point's parameters; value: of those that a macro decides."""
    text = kernel.source.read_text(encoding="utf-8")
    exported = text[text.index('extern "C"') :]
    entry = re.search(rf"\b{kernel.entry}\(([^)]*)\)\s*{{", exported)
    assert entry, kernel.source
    types = []
    for parameter in entry[1].split(","):
        if "*" in parameter:
            types.append(np.uint64)
        else:
            c_type = parameter.split()[-2]
            types.append(C_TYPES.get(c_type, value))
    return types


# Each of these returns a kernel, and the NumPy type of the values that its macros decide.


def fma(dtype: str) -> tuple[CudaKernel, Any]:
    params = fma_cuda.shape(DEVICE, dtype) | fma_work.TIMED[dtype]
    return fma_cuda.FmaKernel(DEVICE, dtype, params), VALUES[dtype]


def stream(dtype: str) -> tuple[CudaKernel, Any]:
    params = {"n": 1 << 12, "block": 256, "vecs": 1}
    return StreamKernel("triad", DEVICE, dtype, params), VALUES[dtype]


def access(op: str) -> tuple[CudaKernel, Any]:
    params = {"n": 1 << 16, "width": 16, **access_cuda.shape(op, 16)}
    return access_cuda.AccessKernel(op, DEVICE, "fp32", params), None


def sets(mode: str) -> tuple[CudaKernel, Any]:
    all_params = [params for params, _ in cache_cuda.points(DEVICE)]
    params = next(params for params in all_params if params["mode"] == mode)
    if mode == "shared":
        return cache_cuda.SharedKernel(DEVICE, "int32", params), None
    if mode == "banks":
        return cache_cuda.BanksKernel(DEVICE, "int32", params), None
    op = mode if mode in cache_cuda.MOVES else "read"
    return cache_cuda.SetKernel(op, DEVICE, "int32", params), None


def chase(mode: str) -> tuple[CudaKernel, Any]:
    return ChaseKernel(DEVICE, "int64", {"mode": mode, "set_bytes": 16 << 10}), None


def mixed(dtype: str, path: str = "") -> tuple[CudaKernel, Any]:
    params = intensity_cuda.shape(DEVICE, dtype, path)
    params |= intensity_cuda.array(params, 4) | {"k": 5}
    value = np.uint64 if path else VALUES[dtype]
    return intensity_cuda.MixedKernel(DEVICE, dtype, params), value


def tensor(tag: str) -> tuple[CudaKernel, Any]:
    row = next(row for row in choose("9.0") if row.tag == f"compute/{tag}")
    params = tensor_work.launch_shape(row, "90") | {"blocks": 2, "operands": "integers"}
    kernel = tensor_cuda.WarpgroupKernel if row.warpgroup else tensor_cuda.WarpKernel
    return kernel(row, DEVICE, row.dtype, params), None


def bulk(cluster: int) -> tuple[CudaKernel, Any]:
    return bulk_cuda.BulkKernel(DEVICE, "int32", bulk_cuda.shape(1 << 16, cluster)), None


def neighbours(cluster: int) -> tuple[CudaKernel, Any]:
    params = cluster_cuda.shape(DEVICE, cluster)
    return cluster_cuda.NeighboursKernel(DEVICE, "int32", params), None


def chase_in_cluster(cluster: int) -> tuple[CudaKernel, Any]:
    return cluster_cuda.ChaseKernel(DEVICE, "int64", {"cluster": cluster}), None


def window() -> tuple[CudaKernel, Any]:
    params = {"window_bytes": 1 << 16, "stream_bytes": 1 << 18, "persisting": False}
    return WindowKernel(DEVICE, "int32", params), None


KERNELS = {
    **{f"fma {dtype}": fma(dtype) for dtype in fma_cuda.TYPES},
    **{f"stream {dtype}": stream(dtype) for dtype in ("fp32", "fp64")},
    **{f"access {op}": access(op) for op in ("read", "copy")},
    **{f"set {mode}": sets(mode) for mode in ("sm", "grid", "write", "copy", "shared", "banks")},
    **{f"chase {mode}": chase(mode) for mode in ("shared", "global")},
    **{f"mixed {dtype}": mixed(dtype) for dtype in ("fp64", "fp32", "fp16", "bf16", "int32")},
    **{f"bulk {cluster}": bulk(cluster) for cluster in (1, 4)},
    "neighbours": neighbours(4),
    "chase in a cluster": chase_in_cluster(4),
    "window": window(),
    "mixed on tensor cores": mixed("fp16", intensity_cuda.MMA),
    **{f"tensor {tag}": tensor(tag) for tag in ("fp16/mma-fp32", "fp64/mma", "fp8/wgmma-fp32")},
}


@pytest.mark.parametrize("name", KERNELS)
def test_arguments_are_those_that_the_kernel_declares(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel, value = KERNELS[name]
    types_of_launches: list[Any] = []

    def note_types(
        grid: tuple[int],
        block: tuple[int],
        arguments: tuple[Any, ...],
        shared_mem: int,
        stream: Queue,
    ) -> None:
        types_of_launches.append([type(argument) for argument in arguments])

    monkeypatch.setattr(cuda_kernel, "function", lambda path, entry, shared: note_types)
    monkeypatch.setattr(clusters, "allow", lambda function, size: None)
    monkeypatch.setattr(clusters, "resident", lambda *_: 2)
    runtime = installed(monkeypatch)
    kernel.ready(Queue(runtime))
    kernel.run(4)
    assert types_of_launches
    assert all(types == declared(kernel, value) for types in types_of_launches)
    kernel.close()
    assert not runtime.allocations
