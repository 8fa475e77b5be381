"""How many operations per second does the vendor's best matrix product reach?

Each precision is asked in several ways (sizes, layouts, algorithms that the library names); the row
speaks of the fastest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kernels import gemm
from kernels.device import Device
from kernels.gemm import cublaslt
from probes.harness.case import Case, run_alone
from probes.records.tag import COMPUTE, CONSTANT, LIBRARY, ZEROS, Tag

MANY_SMS = 40
SMALLER = 2
"""Times, of rows, columns and k on a GPU with fewer: what fills a large one takes it too long."""
SQUARE = None
LARGE = 8192
"""Rows and columns of a square."""
RANDOM = "random"
TILE = 128, 256
"""Rows and columns that a block of a large product makes, or a multiple of what it makes."""
ONE_WAVE = 0


@dataclass(frozen=True)
class Way:
    """A size, and how its operands lie in memory."""

    side: int | None
    """Rows and columns are near it, and their tiles keep all multiprocessors busy to the end; with
    ONE_WAVE each makes one tile. SQUARE is a power of two for both instead.
    """
    k: int
    """Multiply-adds for each element of the product."""
    layout: str
    """A letter of BLAS for each operand, N or T."""


HALF = (
    Way(ONE_WAVE, 16384, "NN"),
    Way(6144, 8192, "TN"),
    Way(3072, 16384, "TN"),
    Way(SQUARE, 8192, "TN"),
)
WAYS = {
    "fp64": (Way(3072, 16384, "NN"), Way(6144, 8192, "NN"), Way(ONE_WAVE, 16384, "NN")),
    "fp32": (
        Way(ONE_WAVE, 16384, "NT"),
        Way(3072, 8192, "NN"),
        Way(3072, 16384, "NT"),
        Way(6144, 8192, "TN"),
    ),
    "tf32": (
        Way(6144, 16384, "TN"),
        Way(3072, 16384, "TN"),
        Way(ONE_WAVE, 16384, "NN"),
        Way(SQUARE, 8192, "NN"),
    ),
    "fp16": HALF,
    "bf16": HALF,
    "fp8": (Way(3072, 16384, "TN"), Way(6144, 8192, "TN"), Way(SQUARE, 8192, "TN")),
    "int8": (Way(6144, 16384, "TN"), Way(SQUARE, 16384, "TN"), Way(3072, 8192, "TN")),
}
"""Of each type, those first that were fastest on an H100 (2026-11-28, cuBLAS 13.1): a plain run
tries no others.
"""


def cases(device: Device) -> Iterator[Case]:
    """Each precision with ones and zeros, which cost less power, and last with random operands.

    What costs most power comes last, since a GPU keeps its clock low for a while after.
    """
    if device.kind != "cuda":
        return
    for operands in (CONSTANT, ZEROS, RANDOM):
        for dtype in WAYS:
            tag = Tag(COMPUTE, dtype, LIBRARY)
            if operands != RANDOM:
                tag = tag.with_variant(operands)
            skip = cublaslt.missing(device, dtype)
            ways = tuple(_params(way, device.units) for way in WAYS[dtype])
            params = {**ways[0], "operands": operands}
            yield Case(gemm.GEMM, dtype, "cublaslt", tag, params, skip, ways=ways)


def _params(way: Way, units: int) -> dict[str, Any]:
    """Size and layout on a GPU with so many multiprocessors."""
    smaller = 1 if units >= MANY_SMS else SMALLER
    if way.side is SQUARE:
        m = n = LARGE // smaller
    else:
        m, n = whole_waves(units, way.side // smaller)
    return {"m": m, "n": n, "k": way.k // smaller, "layout": way.layout}


def whole_waves(units: int, side: int) -> tuple[int, int]:
    """Rows and columns near ``side`` whose tiles are a multiple of so many multiprocessors."""
    rows = max(i for i in range(1, math.isqrt(units) + 1) if units % i == 0)
    sides = []
    for tiles, tile in zip((rows, units // rows), TILE, strict=True):
        wave = tiles * tile
        sides.append(wave * max(1, side // wave))
    return sides[0], sides[1]


if __name__ == "__main__":
    run_alone(__file__)
