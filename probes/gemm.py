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
LARGE, SMALL = 8192, 4096  # rows: the size that fills a large GPU takes a small one too long
SQUARE = None
RANDOM = "random"
TILE = 128, 256
"""Rows and columns that a block of a large product makes, or a multiple of what it makes."""
ONE_WAVE = 0


@dataclass(frozen=True)
class Way:
    """A size, and how its operands lie in memory."""

    side: int | None
    """Rows and columns are near it, and their tiles keep all multiprocessors busy to the end; with
    ONE_WAVE each makes one tile. Where it is SQUARE, m, n and k are a power of two instead.
    """
    k: int
    """Multiply-adds for each element of the product."""
    layout: str
    """A letter of BLAS for each operand, N or T."""


# The first are the fastest on an H100 (2026-11-28, cuBLAS 13.1): a plain run tries only these.
HALF = (
    Way(ONE_WAVE, 16384, "NN"),
    Way(6144, 8192, "TN"),
    Way(ONE_WAVE, 16384, "TN"),
    Way(3072, 8192, "TN"),
    Way(SQUARE, LARGE, "TN"),
)
WAYS = {
    "fp64": (
        Way(3072, 16384, "NN"),
        Way(6144, 8192, "NN"),
        Way(SQUARE, LARGE, "NN"),
        Way(SQUARE, LARGE, "TT"),
    ),
    "fp32": (
        Way(3072, 8192, "NT"),
        Way(3072, 8192, "NN"),
        Way(6144, 8192, "NT"),
        Way(6144, 4096, "TN"),
    ),
    "tf32": (
        Way(6144, 8192, "TN"),
        Way(ONE_WAVE, 16384, "NN"),
        Way(3072, 16384, "TN"),
        Way(SQUARE, LARGE, "NN"),
    ),
    "fp16": HALF,
    "bf16": HALF,
    "fp8": tuple(way for way in HALF if way.layout == "TN"),
    "int8": (
        Way(SQUARE, LARGE, "TN"),
        Way(6144, 8192, "TN"),
        Way(3072, 8192, "TN"),
    ),
}
"""Of each type, those first that are expected to be fastest."""


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
    if way.side is SQUARE:
        side = LARGE if units >= MANY_SMS else SMALL
        return {"m": side, "n": side, "k": side, "layout": way.layout}
    m, n = whole_waves(units, way.side)
    return {"m": m, "n": n, "k": way.k, "layout": way.layout}


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
