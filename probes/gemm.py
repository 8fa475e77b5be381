"""How many operations per second does the vendor's best matrix product reach?

Each precision is asked in several ways (sizes, layouts, algorithms that the library names); the row
speaks of the fastest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from kernels import gemm
from kernels.device import Device
from kernels.gemm import cublaslt
from probes.harness.case import Case, run_alone
from probes.records.tag import COMPUTE, CONSTANT, LIBRARY, ZEROS, Tag

DTYPES = ("fp64", "fp32", "tf32", "fp16", "bf16", "fp8", "int8")
MANY_SMS = 40
LARGE, SMALL = 8192, 4096  # rows: the size that fills a large GPU takes a small one too long
TILE = 128, 256
"""Rows and columns that a block of a large product makes, or a multiple of what it makes."""
LAYOUTS = {
    "fp64": ("NN", "TN", "NT"),
    "fp32": ("NN", "TN", "NT"),
    "tf32": ("TN", "NN", "NT"),
    "fp16": ("TN", "NN", "NT"),
    "bf16": ("TN", "NN", "NT"),
    "fp8": ("TN",),
    "int8": ("TN",),
}


def cases(device: Device) -> Iterator[Case]:
    """Each precision with random operands, and with zeros and ones, which cost less power."""
    if device.kind != "cuda":
        return
    for dtype in DTYPES:
        skip = cublaslt.missing(device, dtype)
        ways = _ways(device, dtype)
        random = Tag(COMPUTE, dtype, LIBRARY)
        for operands, tag in (
            ("random", random),
            (ZEROS, random.with_variant(ZEROS)),
            (CONSTANT, random.with_variant(CONSTANT)),
        ):
            params = {**ways[0], "operands": operands}
            yield Case(gemm.GEMM, dtype, "cublaslt", tag, params, skip, ways=ways)


def _ways(device: Device, dtype: str) -> tuple[dict[str, Any], ...]:
    """Sizes and layouts, the most usual one first."""
    side = LARGE if device.units >= MANY_SMS else SMALL
    usual = {"m": side, "n": side, "k": side}
    m, n = whole_waves(device.units, side)
    whole = {"m": m, "n": n, "k": side}
    ways: list[dict[str, Any]] = []
    for size in (usual, whole):
        ways.extend({**size, "layout": layout} for layout in LAYOUTS[dtype])
    return tuple(ways)


def whole_waves(units: int, side: int) -> tuple[int, int]:
    """Rows and columns near ``side`` whose tiles keep all multiprocessors busy to the end.

    Their number is a multiple of that of the multiprocessors.
    """
    rows = max(i for i in range(1, math.isqrt(units) + 1) if units % i == 0)
    sides = []
    for tiles, tile in zip((rows, units // rows), TILE, strict=True):
        wave = tiles * tile
        sides.append(wave * max(1, side // wave))
    return sides[0], sides[1]


if __name__ == "__main__":
    run_alone(__file__)
