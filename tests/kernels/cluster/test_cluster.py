"""Shared memory of a cluster: loads in the machine code, sums by number in a cluster, a cycle."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kernels import cluster
from kernels.base import KernelError, Unavailable, Work
from kernels.cache.work import words
from kernels.cluster import cuda as cluster_cuda
from kernels.cluster import work as cluster_work
from kernels.cluster.cuda import ChaseKernel, NeighboursKernel
from kernels.cuda import clusters, driver
from kernels.cuda import kernel as cuda_kernel
from tests.devices import GPU, gpu
from tests.kernels.audits import read_at_once
from tests.kernels.made_up_cuda import Queue, installed

FUNCTION = SimpleNamespace(kernel=SimpleNamespace(ptr=11))
RESIDENT = 3
"""Clusters that the made-up driver has place for."""


class Driver:
    """A made-up driver that notes its calls, with place for so many clusters."""

    def __init__(self, places: int = RESIDENT) -> None:
        self.places = places
        self.calls: list[tuple[Any, ...]] = []

    def cuFuncSetAttribute(self, function: Any, attribute: int, value: int) -> int:
        self.calls.append((function.value, attribute, value))
        return 0

    def cuOccupancyMaxActiveClusters(self, count: Any, function: Any, launch: Any) -> int:
        config = launch._obj
        self.calls.append((function.value, config.grid_x, config.block_x, config.shared_bytes))
        count._obj.value = self.places
        return 0


@pytest.mark.parametrize("arch", ["9.0", "12.0"])
def test_the_loops_hold_the_declared_loads(arch: str) -> None:
    device = gpu(arch)
    sizes = (1, 16)
    rates = [NeighboursKernel(device, "int32", cluster_cuda.shape(device, size)) for size in sizes]
    chases = [ChaseKernel(device, "int64", {"cluster": size}) for size in sizes]
    with read_at_once([*rates, *chases]):
        for rate in rates:
            audit = rate.inspect(rate.cubin, rate.work())
            assert (audit.problem, audit.instruction) == ("", "LD.E.128")
        for chase in chases:
            audit = chase.audit(Work())
            assert (audit.problem, audit.instruction) == ("", "LD.E")


def test_older_gpus_have_no_clusters() -> None:
    with pytest.raises(Unavailable, match=r"compute capability 8.9 has no clusters"):
        ChaseKernel(gpu("8.9"), "int64", {"cluster": 2}).validate()


def test_each_block_must_have_read_the_set_of_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    size = 4
    runtime = installed(monkeypatch)
    made_up = Driver()
    monkeypatch.setattr(driver, "library", lambda: made_up)
    launches: list[Any] = []

    class Function:
        kernel = FUNCTION.kernel

        def __call__(self, *arguments: Any, **_: Any) -> None:
            launches.append(arguments)

    monkeypatch.setattr(cuda_kernel, "function", lambda *_: Function())
    params = cluster_cuda.shape(GPU, size)
    launch = NeighboursKernel(GPU, "int32", params)
    launch.ready(Queue(runtime))
    assert made_up.calls == [(11, size, params["block"], params["set_bytes"])]
    launch.run(2)
    grid, _, arguments = launches[0]
    assert grid == (RESIDENT * size,)
    assert arguments[-1] == 2 * GPU.units
    assert launch.audit(launch.work()).facts == {"clusters": RESIDENT}
    # what the kernel would leave: every trip reads all words of the next block's set
    by_rank = words(size * params["set_bytes"] // 4).reshape(size, -1).sum(axis=1, dtype=np.uint64)
    sums = np.zeros((RESIDENT, size, params["block"]), np.uint32)
    own = (2 * params["trips"] * by_rank % (1 << 32)).astype(np.uint32)
    sums[0, :, 3] = np.roll(own, -1)
    launch.sums.upload(sums)
    expected = cluster.NEIGHBOURS.reference("int32", 2, **params)
    assert np.array_equal(launch.fetch(), expected)
    sums[0, :, 3] = own  # as if each had read its own
    launch.sums.upload(sums)
    assert not np.array_equal(launch.fetch(), expected)
    launch.close()
    assert not runtime.allocations


def test_large_clusters_are_allowed_and_no_place_is_a_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made_up = Driver(places=0)
    monkeypatch.setattr(driver, "library", lambda: made_up)
    clusters.allow(FUNCTION, 8)
    clusters.allow(FUNCTION, 16)
    assert made_up.calls == [(11, clusters.ALLOW_MORE, 1)]
    with pytest.raises(Unavailable, match="no place for a cluster of 16 blocks"):
        clusters.resident(FUNCTION, 16, 512, 0)


def test_an_error_of_the_driver_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "library", lambda: SimpleNamespace(cuCtxSynchronize=lambda: 700))
    with pytest.raises(KernelError, match="answers 700 to cuCtxSynchronize: see CUresult"):
        driver.call("cuCtxSynchronize")
    with pytest.raises(KernelError, match="has no cuNothing: install a newer one"):
        driver.call("cuNothing")


@pytest.mark.parametrize("size", [1, 2, 4])
def test_a_chase_follows_one_cycle_through_all_lines(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = installed(monkeypatch)
    monkeypatch.setattr(driver, "library", Driver)
    monkeypatch.setattr(cuda_kernel, "function", lambda *_: FUNCTION)
    launch = ChaseKernel(GPU, "int64", {"cluster": size})
    launch.ready(Queue(runtime))
    following = launch.next.download()
    place = int(launch.fetch()[0])
    for hop in range(1, following.size + 1):
        place = int(following[place])
        assert place == cluster.CHASE.reference("int64", hop, cluster=size)[0]
    assert following.size == cluster_work.LINES * max(1, size - 1)
    assert place == launch.fetch()[0], "back where it began"
    launch.close()


def test_the_launch_config_is_that_of_the_driver() -> None:
    # cuda.h: seven unsigned numbers, then stream and attributes as pointers, then a number
    assert ctypes.sizeof(clusters._Launch) == 56
    assert clusters._Launch.stream.offset == 32
