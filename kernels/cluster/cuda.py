"""Shared memory of a cluster's blocks, read by one another: the kernel ``cluster.cu``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import kernels.cluster.work as cluster_work
from kernels.base import Audit, Unavailable, Work
from kernels.cache.work import words
from kernels.chase.work import cycle
from kernels.cluster.work import LINES, lines_visited
from kernels.cuda import clusters, sass
from kernels.cuda.kernel import CudaKernel
from kernels.cuda.memory import Buffer
from kernels.cuda.nvrtc import Cubin
from kernels.device import Device

SIZES = (1, 2, 4, 8, 16)
"""Blocks of a cluster worth asking; one reads its own memory."""
VECTOR = 16
"""Bytes of one load of a set."""
SHAPE = {"block": 256, "unroll": 8}
"""Threads of a block, and loads in flight in each."""
CHASING_THREADS = 32
"""Threads of a block of a chase. One of them chases; all write the lines before."""
HOPS_A_TRIP = 16
"""Loads in a trip of the loop of a chase."""


def shape(device: Device, cluster: int) -> dict[str, int]:
    """The params of a launch whose blocks read the sets of one another."""
    set_bytes = SHAPE["block"] * SHAPE["unroll"] * VECTOR
    return {**SHAPE, "cluster": cluster, "set_bytes": set_bytes, "trips": device.units}


class ClusterKernel(CudaKernel):
    """A kernel in clusters of ``cluster`` blocks."""

    source = Path(__file__).with_name("cluster.cu")
    clocks: Buffer

    def __init__(self, device: Device, dtype: str, params: Mapping[str, Any]) -> None:
        super().__init__(device, dtype, params)
        self.cluster = int(params["cluster"])

    def validate(self) -> None:
        """Raise Unavailable where there are no clusters."""
        if reason := clusters.missing(self.device):
            raise Unavailable(reason)

    def load(self) -> None:
        """Load the entry point, and allow clusters of this size."""
        super().load()
        clusters.allow(self.function, self.cluster)


class NeighboursKernel(ClusterKernel):
    """Each block reads the set of the next block of its cluster. One launch does all repetitions.

    As many clusters as the device holds at once share the trips.
    """

    entry = "neighbours"

    def __init__(self, device: Device, dtype: str, params: Mapping[str, Any]) -> None:
        super().__init__(device, dtype, params)
        self.shared_bytes = params["set_bytes"]

    def defines(self) -> dict[str, object]:
        """The cluster, and the shape of the launch."""
        block, unroll = self.params["block"], self.params["unroll"]
        return {"CLUSTER": self.cluster, "BLOCK": block, "UNROLL": unroll}

    def work(self) -> Work:
        """That of all trips of a repetition."""
        return cluster_work.neighbours_work(self.dtype, **self.params)

    def inspect(self, cubin: Cubin, work: Work) -> Audit:
        """The hot loop must hold just the loads whose bytes are declared."""
        return sass.bytes_moved(cubin, r"LDS?(\.E)?\.128", VECTOR, self.params["unroll"], work)

    def audit(self, work: Work) -> Audit:
        """The same of this launch, with how many clusters share the trips."""
        return replace(super().audit(work), facts={"clusters": self.clusters})

    def load(self) -> None:
        """Load the entry point, and find how many clusters fit."""
        super().load()
        self.clusters = clusters.resident(
            self.function, self.cluster, self.params["block"], self.shared_bytes
        )

    def allocate(self) -> None:
        """The sets of a cluster, a sum of words of each thread, and two clocks of each block."""
        blocks = self.clusters * self.cluster
        contents = words(self.cluster * self.params["set_bytes"] // 4)
        self.sets = self.new(contents.size, np.uint32)
        self.sums = self.new(blocks * self.params["block"], np.uint32)
        self.clocks = self.new(2 * blocks, np.uint64)
        self.sets.upload(contents)
        self.sums.poison()

    def run(self, repeat: int) -> None:
        """One launch."""
        self.launch(
            self.clusters * self.cluster,
            self.params["block"],
            self.sets.pointer,
            self.sums.pointer,
            self.clocks.pointer,
            np.uint64(repeat * self.params["trips"]),
        )

    def fetch(self) -> np.ndarray:
        """Sums of the words that the blocks of each number in their clusters have read."""
        sums = self.sums.download().reshape(self.clusters, self.cluster, self.params["block"])
        totals = sums.sum(axis=(0, 2), dtype=np.uint64) % np.uint64(1 << 32)
        return totals.astype(np.float64)


class ChaseKernel(ClusterKernel):
    """One thread follows addresses through the memory of the cluster's other blocks.

    A repetition is one hop.
    """

    entry = "chase"

    def defines(self) -> dict[str, object]:
        """The cluster, and the lines of each block."""
        return {"CLUSTER": self.cluster, "LINES": LINES}

    def work(self) -> Work:
        """None: a hop is timed for its own sake."""
        return Work()

    def inspect(self, cubin: Cubin, work: Work) -> Audit:
        """The loop must hold HOPS_A_TRIP loads: as work, one operation each."""
        audit = sass.audit(cubin, sass.Spec(r"LDS?(\.E)?$", 1, 1), Work(flops=HOPS_A_TRIP))
        return Audit(audit.instruction, audit.problem, audit.note)

    def allocate(self) -> None:
        """The line after each, in one cycle, and the line that the chase is at."""
        order = cycle(lines_visited(self.cluster))
        following = np.empty(order.size, np.uint32)
        following[order] = np.roll(order, -1)
        self.next = self.new(order.size, np.uint32)
        self.end = self.new(1, np.uint32)
        self.clocks = self.new(2, np.uint64)
        self.next.upload(following)
        self.end.upload(order[:1].astype(np.uint32))

    def run(self, repeat: int) -> None:
        """One launch, which goes on from where the last one ended."""
        self.launch(
            self.cluster,
            CHASING_THREADS,
            self.next.pointer,
            self.end.pointer,
            self.clocks.pointer,
            np.uint64(repeat),
        )

    def fetch(self) -> np.ndarray:
        """Number of the line that was reached, shape (1,)."""
        return self.end.download().astype(np.float64)
