"""Bulk copies into shared memory: the kernel ``bulk.cu``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import kernels.bulk.work as bulk_work
from kernels.base import Audit, KernelError, Unavailable, Work
from kernels.cache.work import WORD_LENGTH, words
from kernels.cuda import clusters, sass
from kernels.cuda.kernel import CudaKernel
from kernels.cuda.memory import Buffer
from kernels.cuda.nvrtc import Cubin
from kernels.device import Device

WORD = 4
"""Bytes of what is summed."""
VECTOR = 16
"""Bytes that a thread reads of a tile at once; a bulk copy moves a multiple of it."""
SHAPE = {"tile_bytes": 32 << 10, "stages": 4, "warps": 8}
"""Bytes of a tile, tiles on their way to a multiprocessor, and warps that add them up."""
COPYING_THREADS = 32
"""Threads of the warp that copies."""
MULTICAST_UNTIL = 12.0
"""Compute capability from which multicast copies become other instructions."""
BULK_COPY = r"UBLKCP"
"""Opcode of a bulk copy."""
MULTICAST_COPY = r"UBLKCP.*MULTICAST"
"""Opcode of one into several blocks."""


def missing(device: Device, cluster: int = 1) -> str:
    """Why this device has no bulk copies into a cluster of so many blocks, or nothing."""
    if reason := clusters.missing(device):
        return reason
    if cluster > 1 and float(device.arch) >= MULTICAST_UNTIL:
        return f"compute capability {device.arch} has no bulk copies into several blocks at once"
    return ""


def shape(set_bytes: int, cluster: int = 1) -> dict[str, int]:
    """The params of passes over a set of so many bytes, in whole tiles."""
    tile_bytes = SHAPE["tile_bytes"]
    whole_tiles = max(1, set_bytes // tile_bytes)
    return {**SHAPE, "set_bytes": whole_tiles * tile_bytes, "cluster": cluster}


class BulkKernel(CudaKernel):
    """Passes over a set in global memory by bulk copies. One launch does all repetitions.

    Blocks share each copy with the ``cluster`` of the params, which may be one block.
    """

    source = Path(__file__).with_name("bulk.cu")
    entry = "bulk"
    clocks: Buffer

    def __init__(self, device: Device, dtype: str, params: Mapping[str, Any]) -> None:
        super().__init__(device, dtype, params)
        self.cluster = int(params["cluster"])
        self.shared_bytes = params["tile_bytes"] * params["stages"]
        # The compiler makes multicast copies for the variant of an architecture.
        self.arch_suffix = "a" if self.cluster > 1 else ""

    @property
    def adders(self) -> int:
        """Threads of a block that add."""
        return int(self.params["warps"] * sass.WARP)

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return self.adders + COPYING_THREADS

    @property
    def tiles(self) -> int:
        """Tiles of the set."""
        return int(self.params["set_bytes"] // self.params["tile_bytes"])

    def validate(self) -> None:
        """Raise Unavailable without bulk copies, KernelError for parts that no copy can move."""
        if reason := missing(self.device, self.cluster):
            raise Unavailable(reason)
        tile_bytes = self.params["tile_bytes"]
        multiple = VECTOR * max(self.cluster, self.adders)
        if self.params["set_bytes"] % tile_bytes or tile_bytes % multiple:
            raise KernelError(
                f"bulk copies of {self.params['set_bytes']} bytes in tiles of {tile_bytes}: take "
                f"whole tiles of a multiple of {multiple}"
            )

    def defines(self) -> dict[str, object]:
        """The tiles, who adds them up, and the cluster."""
        return {
            "TILE": self.params["tile_bytes"],
            "STAGES": self.params["stages"],
            "WARPS": self.params["warps"],
            "CLUSTER": self.cluster,
        }

    def work(self) -> Work:
        """That of one pass."""
        return bulk_work.work(self.dtype, **self.params)

    def inspect(self, cubin: Cubin, work: Work) -> Audit:
        """One bulk copy moves a block's part of a tile, and each thread reads its part of it."""
        reads = self.params["tile_bytes"] // (VECTOR * self.adders)
        copy = MULTICAST_COPY if self.cluster > 1 else BULK_COPY
        return sass.whole_code(cubin, {copy: 1, r"LDS.*\.128": reads})

    def audit(self, work: Work) -> Audit:
        """The same of this launch, with how many clusters share the tiles."""
        return replace(super().audit(work), facts={"clusters": self.clusters})

    def load(self) -> None:
        """Load the entry point, and find how many clusters fit."""
        super().load()
        self.clusters = self.device.units
        if self.cluster > 1:
            clusters.allow(self.function, self.cluster)
            self.clusters = clusters.resident(
                self.function, self.cluster, self.threads, self.shared_bytes
            )

    def allocate(self) -> None:
        """The set with its contents, a sum of each thread, and two clocks of each block."""
        blocks = self.clusters * self.cluster
        self.set = self.new(self.params["set_bytes"] // WORD, np.uint32)
        self.sums = self.new(blocks * self.adders, np.uint32)
        self.clocks = self.new(2 * blocks, np.uint64)
        self.set.repeat(words(min(self.set.count, WORD_LENGTH)))
        self.sums.poison()

    def run(self, repeat: int) -> None:
        """One launch, whose clusters share the tiles of all passes."""
        self.launch(
            self.clusters * self.cluster,
            self.threads,
            self.set.pointer,
            self.sums.pointer,
            self.clocks.pointer,
            np.uint64(repeat * self.tiles),
            np.uint32(self.tiles),
        )

    def fetch(self) -> np.ndarray:
        """The sum of the words that came to the blocks of each number in their clusters."""
        sums = self.sums.download().reshape(self.clusters, self.cluster, self.adders)
        totals = sums.sum(axis=(0, 2), dtype=np.uint64) % np.uint64(1 << 32)
        return totals.astype(np.float64)
