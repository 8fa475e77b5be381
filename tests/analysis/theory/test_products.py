"""Every product against its vendor's own figures, through the arithmetic of a measured device."""

from __future__ import annotations

import pytest

from analysis.theory import products
from analysis.theory.__main__ import ridges
from analysis.theory.peaks import Peak, peaks
from probes.records.measurement import RidgelineError

FIGURES = [  # product, tag, figure of its data sheet or whitepaper
    ("NVIDIA A100 40GB", "compute/fp64", 9.7e12),
    ("NVIDIA A100 40GB", "compute/fp32", 19.5e12),
    ("NVIDIA A100 40GB", "compute/fp16", 78e12),
    ("NVIDIA A100 40GB", "compute/bf16", 39e12),
    ("NVIDIA A100 40GB", "compute/int8", 78e12),
    ("NVIDIA A100 40GB", "compute/int32", 19.5e12),
    ("NVIDIA A100 40GB", "compute/fp16/tensor-fp32", 312e12),
    ("NVIDIA A100 40GB", "compute/fp16/sparse-fp32", 624e12),
    ("NVIDIA A100 40GB", "compute/int8/tensor-int32", 624e12),
    ("NVIDIA A100 40GB", "compute/int4/sparse-int32", 2496e12),
    ("NVIDIA A100 40GB", "compute/tf32/tensor-fp32", 156e12),
    ("NVIDIA A100 40GB", "compute/fp64/tensor", 19.5e12),
    ("NVIDIA A100 40GB", "bandwidth/dram", 1555e9),
    ("NVIDIA A100 80GB", "bandwidth/dram", 2039e9),
    ("NVIDIA A30", "compute/fp16/tensor-fp32", 165e12),
    ("NVIDIA A30", "bandwidth/dram", 933e9),
    ("NVIDIA H100 SXM", "compute/fp64", 33.5e12),
    ("NVIDIA H100 SXM", "compute/fp32", 66.9e12),
    ("NVIDIA H100 SXM", "compute/fp64/tensor", 66.9e12),
    ("NVIDIA H100 SXM", "compute/fp16/tensor-fp32", 989.4e12),
    ("NVIDIA H100 SXM", "compute/fp8/sparse-fp32", 3957.8e12),
    ("NVIDIA H100 SXM", "bandwidth/dram", 3.35e12),
    ("NVIDIA H100 PCIe", "compute/fp32", 51.2e12),
    ("NVIDIA H100 PCIe", "compute/fp16/tensor-fp32", 756e12),
    ("NVIDIA H200", "compute/int8/tensor-int32", 1979e12),
    ("NVIDIA H200", "bandwidth/dram", 4.8e12),
    ("NVIDIA B200", "compute/fp4/sparse-fp32", 18e15),
    ("NVIDIA B200", "compute/tf32/tensor-fp32", 1.125e15),
    ("NVIDIA Tesla V100 SXM2", "compute/fp16/tensor-fp32", 125e12),
    ("NVIDIA Tesla V100 SXM2", "compute/fp64", 7.8e12),
    ("NVIDIA Tesla P100 SXM2", "compute/fp16", 21.2e12),
    ("NVIDIA T4", "compute/fp16/tensor-fp32", 65e12),
    ("NVIDIA A10", "compute/fp16/tensor-fp32", 125e12),
    ("NVIDIA A40", "compute/fp16/tensor-fp32", 149.7e12),
    ("NVIDIA L4", "compute/fp16/sparse-fp32", 242e12),
    ("NVIDIA L40S", "compute/fp8/tensor-fp32", 733e12),
    ("Quadro RTX 6000", "compute/fp16/tensor-fp32", 130.5e12),
    ("Quadro RTX 6000", "compute/fp32", 16.3e12),
    ("Quadro RTX 6000", "bandwidth/dram", 672e9),
    ("NVIDIA RTX A6000", "compute/tf32/tensor-fp32", 77.4e12),
    ("NVIDIA RTX 6000 Ada", "compute/fp32", 91.1e12),
    ("GeForce GTX 1080 Ti", "bandwidth/dram", 484e9),
    ("GeForce RTX 2080 Ti", "compute/fp16/tensor-fp32", 53.8e12),
    ("GeForce RTX 2080 Ti", "compute/fp16/tensor-fp16", 107.6e12),
    ("GeForce RTX 3080 10GB", "compute/fp32", 29.77e12),
    ("GeForce RTX 3080 10GB", "compute/fp16/tensor-fp32", 59.5e12),
    ("GeForce RTX 3080 10GB", "compute/fp16/tensor-fp16", 119e12),
    ("GeForce RTX 3080 10GB", "bandwidth/dram", 760e9),
    ("GeForce RTX 3090", "compute/int8/tensor-int32", 284e12),
    ("GeForce RTX 4090", "compute/fp32", 82.6e12),
    ("GeForce RTX 4090", "compute/fp8/tensor-fp16", 660.6e12),
    ("GeForce RTX 4090", "compute/fp8/tensor-fp32", 330.3e12),
    ("GeForce RTX 4090", "compute/fp16/tensor-fp32", 165.2e12),
    ("GeForce RTX 5090", "compute/fp16/tensor-fp32", 209.5e12),
    ("GeForce RTX 5090", "compute/fp4/tensor-fp32", 1676e12),
    ("Jetson Nano", "compute/fp16", 472e9),
    ("Jetson TX2", "compute/fp16", 1.33e12),
    ("Jetson AGX Xavier", "compute/fp32", 1.41e12),
    ("Jetson AGX Xavier", "compute/fp16", 2.82e12),
    ("Jetson AGX Xavier", "compute/int8/tensor-int32", 22.6e12),
    ("Jetson AGX Xavier", "bandwidth/dram", 137e9),
    ("Jetson AGX Orin 64GB", "compute/fp32", 5.32e12),
    ("Jetson AGX Orin 64GB", "compute/int8/sparse-int32", 170e12),
    ("Jetson AGX Orin 64GB", "bandwidth/dram", 204.8e9),
    ("Jetson AGX Orin 32GB", "compute/fp32", 3.33e12),
    ("Jetson Orin Nano 8GB Super", "compute/int8/sparse-int32", 67e12),
    ("Jetson Xavier NX", "bandwidth/dram", 59.7e9),
    ("Jetson Xavier NX 15W", "bandwidth/dram", 51.2e9),
    ("Jetson AGX Xavier 8GB", "bandwidth/dram", 85.3e9),
    ("Jetson Orin NX 16GB", "bandwidth/dram", 102.4e9),
    ("Jetson Orin NX 16GB Super", "bandwidth/dram", 102.4e9),
    ("Jetson AGX Orin Industrial", "bandwidth/dram", 204.8e9),
    ("Jetson Orin Nano 8GB", "bandwidth/dram", 68.3e9),
    ("Jetson Orin Nano 8GB Super", "bandwidth/dram", 102.4e9),
    ("Jetson Orin Nano 4GB", "bandwidth/dram", 34.1e9),
    ("Jetson Orin Nano 4GB Super", "bandwidth/dram", 51.2e9),
    ("Jetson T4000", "compute/fp4/sparse-fp32", 1200e12),
    ("Jetson AGX Thor", "compute/fp8/tensor-fp32", 517e12),
    ("Jetson AGX Thor", "compute/fp4/sparse-fp32", 2070e12),
    ("Jetson AGX Thor", "bandwidth/dram", 273e9),
]


def peaks_of(name: str) -> dict[str, Peak]:
    """The peaks of a product by tag."""
    device, row = products.spec_device(name)
    return peaks(device, row=row)


@pytest.mark.parametrize(("name", "tag", "figure"), FIGURES)
def test_a_peak_is_the_figure_that_its_vendor_publishes(name: str, tag: str, figure: float) -> None:
    assert peaks_of(name)[tag].value == pytest.approx(figure, rel=0.005)


@pytest.mark.parametrize(
    ("name", "expected"), [("GeForce RTX 3080 10GB", 39.2), ("Jetson AGX Xavier", 10.3)]
)
def test_a_ridge_point_is_the_peak_over_the_bandwidth(name: str, expected: float) -> None:
    assert ridges(peaks_of(name))["compute/fp32"] == pytest.approx(expected, rel=0.004)


@pytest.mark.parametrize("name", products.products())
def test_a_product_leaves_no_peak_open(name: str) -> None:
    by_tag = peaks_of(name)
    assert (by_tag["bandwidth/dram"].value or 0) > 1e10
    assert all(p.value and p.value == p.limit and p.source and p.formula for p in by_tag.values())


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("A100", "NVIDIA A100 40GB"),
        ("a100 80gb", "NVIDIA A100 80GB"),
        ("A10", "NVIDIA A10"),
        ("NVIDIA GeForce RTX 3090", "GeForce RTX 3090"),
        ("2080ti", "GeForce RTX 2080 Ti"),
        ("RTX 6000", "Quadro RTX 6000"),
        ("Jetson Nano", "Jetson Nano"),
        ("Orin Nano", "Jetson Orin Nano 8GB"),
        ("8GB Orin NX", "Jetson Orin NX 8GB"),
        ("Jetson Orin Nano Super", "Jetson Orin Nano 8GB Super"),
        ("T4000", "Jetson T4000"),
    ],
)
def test_a_name_or_an_unambiguous_part_finds_the_product(text: str, first: str) -> None:
    assert products.find_products(text)[0] == first


@pytest.mark.parametrize("text", ["Voodoo 2", "", " ", "nvidia", "--"])
def test_a_name_of_nothing_is_refused(text: str) -> None:
    with pytest.raises(RidgelineError, match="no product is called"):
        products.find_products(text)


@pytest.mark.parametrize(
    "text", ["1e9x8", "1e9x8x2x2", "nanx8x6", "infx8x2", "1e308x1e9x9", "1e9x0.001x1", "1e9x-8x-2"]
)
def test_a_text_that_describes_no_memory_is_refused(text: str) -> None:
    with pytest.raises(RidgelineError, match="is not RATExBYTESxCHANNELS"):
        products.parse_memory(text)


def test_a_memory_is_read_as_transfers_a_second_and_bits() -> None:
    assert products.parse_memory("2666e6x8x6") == (2666e6, 384)
