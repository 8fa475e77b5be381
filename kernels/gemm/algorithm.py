"""What cuBLASLt tells of an algorithm: its number, tile, stages and cluster.

Names are those of the enumerations ``cublasLtMatmulTile_t``, ``cublasLtMatmulStages_t`` and
``cublasLtClusterShape_t`` in cublasLt.h of cuBLAS 13.10; later versions only add to them.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

HEURISTIC_BYTES, ALGORITHM_BYTES = 96, 64
"""Sizes of ``cublasLtMatmulHeuristicResult_t``, and of the algorithm that it begins with."""
CONFIG_ID, CONFIG_TILE, CONFIG_SPLIT_K, CONFIG_STAGES, CONFIG_CLUSTER = 0, 1, 2, 6, 8
"""Of ``cublasLtMatmulAlgoConfigAttributes_t``."""
OLDEST_TILES = """
8x8 8x16 16x8 8x32 16x16 32x8 8x64 16x32 32x16 64x8 32x32 32x64 64x32 32x128 64x64 128x32 64x128
128x64 64x256 128x128 256x64 64x512 128x256 256x128 512x64 64x96 96x64 96x128 128x160 160x128
192x128 128x192 128x96 32x256 256x32
"""
"""From number 1 on; ``tiles`` has those that follow."""
LARGEST_SIDE = 768
FEWEST_ELEMENTS, MOST_ELEMENTS = 49152, 65536
"""Of the largest tile: of those with rows in steps of 8, and of those with columns in such."""
STAGES = """
16x1 16x2 16x3 16x4 16x5 16x6 32x1 32x2 32x3 32x4 32x5 32x6 64x1 64x2 64x3 64x4 64x5 64x6 128x1
128x2 128x3 128x4 128x5 128x6 32x10 8x4 16x10 8x5 - - 8x3 8xauto 16xauto 32xauto 64xauto 128xauto
256xauto 768xauto
"""
"""Elements of k in a stage, and how many stages there are; from number 1 on."""
CLUSTERS = """
1x1 2x1 4x1 1x2 2x2 4x2 1x4 2x4 4x4 8x1 1x8 8x2 2x8 16x1 1x16 3x1 5x1 6x1 7x1 9x1 10x1 11x1 12x1
13x1 14x1 15x1 3x2 5x2 6x2 7x2 1x3 2x3 3x3 4x3 5x3 3x4 1x5 2x5 3x5 1x6 2x6 1x7 2x7 1x9 1x10 1x11
1x12 1x13 1x14 1x15
"""
"""Blocks of a cluster, from number 2 on; lower numbers leave it to the library."""
FIRST_CLUSTER = 2


@dataclass(frozen=True)
class Config:
    """What an algorithm was set to. A name is empty where the library does not tell it."""

    number: int
    """Of the algorithm, as the library counts them."""
    tile: str
    """Rows and columns of the product that a block makes: ``128x256``."""
    stages: str
    """Elements of k in a stage and how many of these: ``64x4``."""
    cluster: str
    """Blocks that work together: ``2x1``."""
    split_k: int
    """Into how many parts the sum over k is split; 1 or less where it is not."""

    def __str__(self) -> str:
        """``algorithm 66, tile 128x256, stages 64x4, cluster 2x1, split-k 2``."""
        split = str(self.split_k) if self.split_k > 1 else ""
        named = {
            "algorithm": str(self.number),
            "tile": self.tile,
            "stages": self.stages,
            "cluster": self.cluster,
            "split-k": split,
        }
        return ", ".join(f"{name} {value}" for name, value in named.items() if value)


@dataclass(frozen=True)
class Algorithm:
    """One answer of the library's heuristic."""

    opaque: Any
    """The algorithm, as ``cublasLtMatmul`` takes it."""
    workspace_bytes: int
    """Of memory that it needs beside operands and product."""


def algorithms(results: bytes, count: int) -> Iterator[Algorithm]:
    """Those that can run here, of ``count`` results of ``cublasLtMatmulAlgoGetHeuristic``."""
    for start in range(0, count * HEURISTIC_BYTES, HEURISTIC_BYTES):
        result = results[start : start + HEURISTIC_BYTES]
        opaque = ctypes.create_string_buffer(result[:ALGORITHM_BYTES], ALGORITHM_BYTES)
        workspace_bytes = int.from_bytes(result[ALGORITHM_BYTES:][:8], "little")
        status = int.from_bytes(result[ALGORITHM_BYTES + 8 :][:4], "little")
        if status == 0:
            yield Algorithm(opaque, workspace_bytes)


def config(library: Any, algorithm: Algorithm) -> Config:
    """What the library says of an algorithm; what an old one does not know is left out."""

    def ask(attribute: int, number: Any = ctypes.c_uint32) -> int:
        value = number()
        status = library.cublasLtMatmulAlgoConfigGetAttribute(
            algorithm.opaque,
            attribute,
            ctypes.byref(value),
            ctypes.c_size_t(ctypes.sizeof(value)),
            ctypes.byref(ctypes.c_size_t()),
        )
        return 0 if status else int(value.value)

    return Config(
        number=ask(CONFIG_ID),
        tile=_named(tiles(), ask(CONFIG_TILE), first=1),
        stages=_named(STAGES.split(), ask(CONFIG_STAGES), first=1),
        cluster=_named(CLUSTERS.split(), ask(CONFIG_CLUSTER, ctypes.c_uint16), FIRST_CLUSTER),
        split_k=ask(CONFIG_SPLIT_K, ctypes.c_int32),
    )


def _named(names: list[str], number: int, first: int) -> str:
    """The name of a number: empty below the first, the number itself beyond the last."""
    if number < first:
        return ""
    place = number - first
    return names[place] if place < len(names) else f"number {number}"


@cache
def tiles() -> list[str]:
    """Names of the tiles from number 1 on.

    After the oldest come all with rows in steps of 8 and columns in steps of 64, then all with rows
    in steps of 64 and columns in steps of 8, as far as they are new.
    """
    names = dict.fromkeys(OLDEST_TILES.split())
    for row_step, column_step, most in ((8, 64, FEWEST_ELEMENTS), (64, 8, MOST_ELEMENTS)):
        for rows in range(row_step, LARGEST_SIDE + 1, row_step):
            for columns in range(column_step, LARGEST_SIDE + 1, column_step):
                if rows * columns <= most:
                    names[f"{rows}x{columns}"] = None
    return list(names)
