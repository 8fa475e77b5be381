"""A window beside a stream: what is asked of the L2, and that it is taken back."""

from __future__ import annotations

import ctypes
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from kernels import window
from kernels.base import KernelError, Unavailable
from kernels.cache.work import words
from kernels.cuda import driver
from kernels.cuda import kernel as cuda_kernel
from kernels.window import cuda as window_cuda
from kernels.window.cuda import WindowKernel
from tests.devices import GPU, gpu
from tests.kernels.made_up_cuda import Queue, installed

KEEPING = replace(GPU, facts={"persisting_l2_bytes": 32 << 20})
SMALL = {"window_bytes": 1 << 16, "stream_bytes": 1 << 18, "persisting": True}


@pytest.mark.parametrize("arch", ["7.5", "9.0"])
def test_each_thread_loads_whole_vectors_of_both(arch: str) -> None:
    kernel = WindowKernel(gpu(arch), "int32", SMALL)
    assert not kernel.audit(kernel.work()).problem


@pytest.mark.parametrize("cached", [4 << 20, 50 << 20, None])
def test_streams_are_whole_windows_long(cached: int | None) -> None:
    sizes = window_cuda.sizes(replace(GPU, last_cache_bytes=cached))
    assert sizes == sorted(set(sizes))
    for size in sizes:
        params = window_cuda.shape(size) | {"persisting": True}
        WindowKernel(KEEPING, "int32", params).validate()
        assert params["stream_bytes"] >= window_cuda.LEAST_STREAM_BYTES


def test_what_cannot_be_asked_is_refused() -> None:
    with pytest.raises(KernelError, match="take whole windows of a multiple of 65536"):
        WindowKernel(KEEPING, "int32", SMALL | {"stream_bytes": 100_000}).validate()
    with pytest.raises(Unavailable, match="cannot be told what to keep"):
        WindowKernel(GPU, "int32", SMALL).validate()
    WindowKernel(GPU, "int32", SMALL | {"persisting": False}).validate()


@pytest.mark.parametrize("persisting", [True, False])
def test_the_l2_is_asked_and_released(persisting: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = installed(monkeypatch)
    calls: list[Any] = []

    def call(name: str, *arguments: Any) -> None:
        seen = [getattr(argument, "value", argument) for argument in arguments]
        if name == "cuStreamSetAttribute":
            policy = arguments[2]._obj
            seen[2] = (policy.base, policy.bytes, policy.hit_ratio, policy.hit, policy.miss)
        calls.append((name, *seen))

    monkeypatch.setattr(driver, "call", call)
    monkeypatch.setattr(cuda_kernel, "function", lambda *_: lambda *_, **__: None)
    params = SMALL | {"persisting": persisting}
    queue = Queue(runtime)
    launch = WindowKernel(KEEPING, "int32", params)
    launch.ready(queue)
    address = launch.window.address
    launch.run(3)
    # what three passes would leave: the window four times in each, and the stream
    left = np.zeros(launch.sums.count, np.uint32)
    left[5] = 3 * int(words(1 << 16).sum(dtype=np.uint64)) % (1 << 32)
    left[9] = 12 * int(words(1 << 14).sum(dtype=np.uint64)) % (1 << 32)
    launch.sums.upload(left)
    assert np.array_equal(launch.fetch(), window.WINDOW.reference("int32", 3, **params))
    launch.close()
    assert not runtime.allocations
    if not persisting:
        assert calls == []
        return
    limit, attribute = window_cuda.PERSISTING_LIMIT, window_cuda.WINDOW_ATTRIBUTE
    assert calls == [
        ("cuCtxSetLimit", limit, 32 << 20),
        ("cuStreamSetAttribute", queue.ptr, attribute, (address, 1 << 16, 1.0, 2, 1)),
        ("cuStreamSetAttribute", queue.ptr, attribute, (None, 0, 0.0, 0, 0)),
        ("cuCtxResetPersistingL2Cache",),
        ("cuCtxSetLimit", limit, 0),
    ]


def test_a_policy_is_as_large_as_the_drivers_union() -> None:
    assert ctypes.sizeof(window_cuda._Policy) == 64
