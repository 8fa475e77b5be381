"""How fast do the multiprocessors of a cluster share data?

Bulk copies from the L2 that all of them receive, reads of one another's shared memory, and how long
one such read takes, each over the number of multiprocessors in a cluster.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernels import bulk, cluster
from kernels.bulk import cuda as bulk_cuda
from kernels.cluster import cuda as cluster_cuda
from kernels.cuda import clusters
from kernels.device import Device
from probes.harness.case import Case, run_alone
from probes.records.tag import BANDWIDTH, CHASE, CLUSTER, LATENCY, Sweep

DEFAULT = False
"""A plain run leaves it out: no roof rests on it."""
SHARE_OF_L2 = 4
"""The set that is copied is such a part of the L2."""
USUAL_CACHE = 16 << 20
"""Bytes of an L2 that the device does not tell."""


def cases(device: Device) -> Iterator[Case]:
    """Each question over clusters of one multiprocessor, which shares with none, up to many."""
    if device.kind != "cuda":
        return
    set_bytes = (device.last_cache_bytes or USUAL_CACHE) // SHARE_OF_L2
    tag = Sweep(BANDWIDTH, CLUSTER, "multicast")
    for size in cluster_cuda.SIZES:
        skip = bulk_cuda.missing(device, size)
        params = bulk_cuda.shape(set_bytes, size)
        yield Case(bulk.READ, "int32", "raw", tag, params, skip, x=size)
    skip = clusters.missing(device)
    tag = Sweep(BANDWIDTH, CLUSTER, "read-of-neighbour")
    for size in cluster_cuda.SIZES:
        params = cluster_cuda.shape(device, size)
        yield Case(cluster.NEIGHBOURS, "int32", "raw", tag, params, skip, x=size)
    tag = Sweep(LATENCY, CLUSTER, CHASE)
    for size in cluster_cuda.SIZES:
        yield Case(cluster.CHASE, "int64", "raw", tag, {"cluster": size}, skip, x=size)


if __name__ == "__main__":
    run_alone(__file__)
