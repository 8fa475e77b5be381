"""Bulk copies: the machine code holds them, and a launch is refused where there are none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from kernels import bulk
from kernels.base import KernelError, Unavailable
from kernels.bulk import cuda as bulk_cuda
from kernels.bulk.cuda import BulkKernel
from kernels.cache.work import words
from kernels.cuda import clusters
from kernels.cuda import kernel as cuda_kernel
from tests.devices import GPU, gpu
from tests.kernels.made_up_cuda import Queue, installed

SET_BYTES = 1 << 20
BULK_ARCHITECTURES = ("9.0", "12.0")


def kernel_of(arch: str, cluster: int, **changed: Any) -> BulkKernel:
    """Bulk copies of a small set into clusters of this size."""
    return BulkKernel(gpu(arch), "int32", bulk_cuda.shape(SET_BYTES, cluster) | changed)


@pytest.mark.parametrize("cluster", [1, 16])
@pytest.mark.parametrize("arch", BULK_ARCHITECTURES)
def test_one_copy_moves_a_part_of_each_tile(arch: str, cluster: int) -> None:
    if bulk_cuda.missing(gpu(arch), cluster):
        assert (arch, cluster) == ("12.0", 16)
        return
    kernel = kernel_of(arch, cluster)
    audit = kernel.inspect(kernel.cubin, kernel.work())
    assert audit.problem == ""
    assert ("UBLKCP.S.G.MULTICAST" in audit.instruction) == (cluster > 1)
    assert "UBLKCP.S.G" in audit.instruction


def test_a_kernel_that_reads_less_of_a_tile_is_caught() -> None:
    more = kernel_of("9.0", 1, tile_bytes=64 << 10)
    problem = more.inspect(kernel_of("9.0", 1).build(), more.work()).problem
    assert problem == "the machine code holds 8 of LDS.*\\.128, not 16"


@pytest.mark.parametrize("arch", ["7.5", "8.7"])
def test_older_gpus_say_why_they_have_none(arch: str) -> None:
    reason = f"compute capability {arch} has no clusters and bulk copies: from 9.0 on"
    assert bulk_cuda.missing(gpu(arch)) == reason
    with pytest.raises(Unavailable, match=r"from 9\.0 on"):
        kernel_of(arch, 1).validate()


def test_parts_of_a_tile_are_refused() -> None:
    with pytest.raises(KernelError, match="take whole tiles of a multiple of 4096"):
        kernel_of("9.0", 1, set_bytes=SET_BYTES + 16).validate()


@pytest.mark.parametrize("cluster", [1, 4])
def test_the_sums_of_each_block_of_a_cluster_are_checked(
    cluster: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    resident_clusters = 3
    runtime = installed(monkeypatch)
    launches: list[Any] = []
    monkeypatch.setattr(cuda_kernel, "function", lambda *_: lambda *a, **_: launches.append(a))
    monkeypatch.setattr(clusters, "resident", lambda *_: resident_clusters)
    params = bulk_cuda.shape(SET_BYTES, cluster)
    launch = BulkKernel(replace(GPU, units=resident_clusters), "int32", params)
    launch.ready(Queue(runtime))
    launch.run(2)
    ((grid, block, _),) = launches
    assert (grid, block) == ((resident_clusters * cluster,), (288,))
    # what the kernel would leave: all words twice, once for each number in a cluster
    total = 2 * int(words(SET_BYTES // 4).sum(dtype=np.uint64)) % (1 << 32)
    sums = np.zeros((resident_clusters, cluster, launch.adders), np.uint32)
    sums[1, :, 5] = total - 7
    sums[2, :, 0] = 7
    launch.sums.upload(sums)
    assert np.array_equal(launch.fetch(), bulk.READ.reference("int32", 2, **params))
    assert bulk.READ.work("int32", **params).bytes == SET_BYTES * cluster
    assert launch.audit(launch.work()).facts == {"clusters": resident_clusters}
    launch.close()
    assert not runtime.allocations
