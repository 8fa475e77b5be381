"""How many operations per second does the vendor's best matrix product reach?"""

from __future__ import annotations

from collections.abc import Iterator

from kernels import gemm
from kernels.device import Device
from kernels.formats import FORMATS
from kernels.gemm import cublaslt
from kernels.gemm import work as gemm_work
from probes.harness.case import Case, run_alone
from probes.records.tag import COMPUTE, LIBRARY, ZEROS, Tag

DTYPES = ("fp64", "fp32", "tf32", "fp16", "bf16", "fp8", "int8")
MANY_SMS = 40
LARGE, SMALL = 8192, 4096  # rows: the size that fills a large GPU takes a small one too long


def cases(device: Device) -> Iterator[Case]:
    """Each precision with random operands and with zeros, which cost less power."""
    if device.kind != "cuda":
        return
    n = LARGE if device.units >= MANY_SMS else SMALL
    for dtype in DTYPES:
        skip = cublaslt.missing(device, dtype)
        product_bytes = FORMATS[gemm_work.OUTPUT[dtype]].bits // 8
        random = Tag(COMPUTE, dtype, LIBRARY)
        for operands, tag in (("random", random), ("zeros", random.with_variant(ZEROS))):
            params = {"n": n, "operands": operands, "product_bytes": product_bytes}
            yield Case(gemm.GEMM, dtype, "cublaslt", tag, params, skip)


if __name__ == "__main__":
    run_alone(__file__)
