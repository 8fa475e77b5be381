"""From which size on is the vendor's 2:4 sparse product faster than its dense one, and by how much?

Both rates count the zeros, so that their ratio is how much sooner the answer is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kernels import gemm, sparse_gemm
from kernels.device import Device
from kernels.gemm import cublaslt
from kernels.sparse_gemm import cusparselt
from kernels.sparse_gemm import work as sparse_work
from probes.harness.case import Case, run_alone
from probes.records.tag import COMPUTE, LIBRARY, PRODUCT, SIDE, SPARSE, Sweep, Tag

DEFAULT = FULL = False
DTYPES = ("fp16", "int8")
SIDES = (256, 512, 1024, 2048, 4096, 8192)
"""Rows and columns of square products."""
SPARSE_LIBRARY = f"{LIBRARY}{SPARSE}"
"""The path of the sparse product: its rates never share a tag with dense ones."""


@dataclass(frozen=True)
class Size:
    """A product that a layer of a network is: weights of m rows by n columns of activations."""

    layer: str
    """Name of the layer."""
    m: int
    """Output channels."""
    n: int
    """Places of the output: pixels, or rows of activations."""
    k: int
    """Weights of one output channel."""


def cases(device: Device) -> Iterator[Case]:
    """Square products of several sizes, dense and sparse."""
    if device.kind != "cuda":
        return
    for dtype in DTYPES:
        for side in SIDES:
            size = Size("", side, side, side)
            yield _dense(device, dtype, size, Sweep(COMPUTE, SIDE, f"{dtype}-{LIBRARY}"), side)
            sweep = Sweep(COMPUTE, SIDE, f"{dtype}-{SPARSE_LIBRARY}")
            yield _sparse(device, dtype, size, sweep, side)


def of_layers(
    device: Device, network: str, sizes: Iterable[Size], dtypes: Iterable[str] = DTYPES
) -> Iterator[Case]:
    """The products that the layers of a network are, dense and sparse."""
    if device.kind != "cuda":
        return
    of_types = list(dtypes)
    for size in sizes:
        for dtype in of_types:
            yield _dense(device, dtype, size, Tag(PRODUCT, dtype, LIBRARY), None, network)
            yield _sparse(device, dtype, size, Tag(PRODUCT, dtype, SPARSE_LIBRARY), None, network)


def _dense(
    device: Device, dtype: str, size: Size, tag: Tag | Sweep, x: float | None, network: str = ""
) -> Case:
    """The dense product of random operands."""
    params = {**_params(size, network), "layout": "TN", "operands": "random"}
    return Case(gemm.GEMM, dtype, "cublaslt", tag, params, cublaslt.missing(device, dtype), x)


def _sparse(
    device: Device, dtype: str, size: Size, tag: Tag | Sweep, x: float | None, network: str = ""
) -> Case:
    """The product of the same size whose first operand is 2:4 sparse."""
    skip = cusparselt.missing(device, dtype)
    skip = skip or sparse_work.misfit(dtype, size.m, size.n, size.k)
    params = _params(size, network)
    return Case(sparse_gemm.SPARSE_GEMM, dtype, "cusparselt", tag, params, skip, x)


def _params(size: Size, network: str) -> dict[str, object]:
    """Size of the product, and of what network and layer it is."""
    params: dict[str, object] = {"m": size.m, "n": size.n, "k": size.k}
    if network:
        params.update(network=network, layer=size.layer)
    return params


if __name__ == "__main__":
    run_alone(__file__)
