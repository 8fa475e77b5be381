"""Rows of layers for tests: the work of real networks, and times by a formula.

Every figure can be worked out by hand.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import onnx

from kernels.onnx.graph import Graph, Node, Tensor, read_graph
from kernels.onnx.work import LayerWork, work_of
from probes.records.measurement import Measurement
from probes.records.run import Run
from tests import devices
from tests.devices import measurement

GPU = replace(devices.GPU, units=200, memory_bus_bits=8000)
"""A made-up device whose theory allows the roofs below."""
PEAKS = {"fp32": 6e13, "tf32": 4.7e14, "fp16": 9e14, "int8": 1.8e15}
"""Operations a second of its fastest way for each type."""
DRAM_BANDWIDTH = 4.7e12
LIGHT_NETWORKS = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
ROOFS = [
    measurement("compute/fp32", PEAKS["fp32"]),
    measurement("compute/tf32/wgmma-fp32", PEAKS["tf32"]),
    measurement("compute/fp16/wgmma-fp32", PEAKS["fp16"]),
    measurement("compute/int8/wgmma-int32", PEAKS["int8"]),
    measurement("bandwidth/l1/read", 3.2e13),
    measurement("bandwidth/l2/read", 9e12),
    measurement("bandwidth/dram/copy", DRAM_BANDWIDTH),
    measurement("overhead/launch", bytes=None, flops=None, seconds_median=1e-6, dtype="int64"),
]


def seconds(work: LayerWork, dtype: str) -> float:
    """The time of a layer: launching it, then half its peak or two thirds of DRAM's bandwidth."""
    computing = (work.flops or 0) / PEAKS[dtype] * 2
    moving = (work.compulsory_bytes or 0) / DRAM_BANDWIDTH * 1.5
    return 2e-6 + max(computing, moving)


def row(node: Node, dtype: str, x: float | None = None, **params: Any) -> Measurement:
    """The row of a node, as a run or an import would write it."""
    work = work_of(node, dtype)
    facts = {
        "network": "",
        "layer": node.name,
        "op": node.op,
        "family": work.family,
        "provider": "cuda",
        "warm": True,
        "precision": dtype,
        "working_set": work.compulsory_bytes,
        "launches": 1,
        **params,
    }
    return measurement(
        f"layer/{work.family}",
        kernel=node.op,
        backend="cuda",
        dtype=dtype,
        params=json.dumps(facts),
        flops=work.flops,
        bytes=work.compulsory_bytes,
        seconds_median=seconds(work, dtype),
        x=x,
    )


@cache
def graph(name: str) -> Graph:
    """A network of the onnx wheel: ``squeezenet``."""
    return read_graph(LIGHT_NETWORKS / f"light_{name}.onnx")


def network(name: str, dtype: str = "fp16", whole: float | None = 0.5) -> list[Measurement]:
    """All nodes of a network of the onnx wheel, and the network in one go.

    ``whole``: the time of that over the sum of theirs; None for no such row.
    """
    rows = [row(node, dtype, network=name) for node in graph(name).nodes]
    if whole is None:
        return rows
    total = sum(layer.seconds_median or 0.0 for layer in rows)
    params = {
        "network": name,
        "precision": dtype,
        "provider": "cuda",
        "launches": 7,
        "explained": {"fused nodes": 5},
    }
    whole_row = measurement(
        "layer/network",
        kernel="network",
        backend="cuda",
        dtype=dtype,
        flops=None,
        bytes=None,
        seconds_median=whole * total,
        params=json.dumps(params),
        reason="ran fused",
    )
    return [*rows, whole_row]


def conv(kernel: int, channels: int, groups: int = 1, size: int = 56) -> Node:
    """A convolution of 32 images, as wide and high as before."""
    data = (32, channels, size, size)
    weight = (channels, channels // groups, kernel, kernel)
    inputs = Tensor("x", data), Tensor("w", weight, weight=True)
    outputs = (Tensor("y", data),)
    attributes = {"group": groups, "kernel_shape": [kernel, kernel], "pads": [kernel // 2] * 4}
    return Node("Conv", f"conv {kernel}x{kernel}, {channels}", inputs, outputs, attributes)


def copy(op: str, size: int) -> Node:
    """An operation on 32 images of 64 channels that changes no shape."""
    shape = (32, 64, size, size)
    return Node(op, f"{op} {size}", (Tensor("x", shape),), (Tensor("y", shape),))


def conv_sweep(dtypes: tuple[str, ...] = ("fp32", "tf32", "fp16")) -> list[Measurement]:
    """Convolutions by kernel size, dense and depthwise."""
    about = {"sweep": "conv-kernel", "over": "kernel size"}
    groups_of_series = {"dense": 1, "depthwise": 64}
    sizes = (11, 1, 3, 5, 7, 9)  # not in their order, which the analysis has to find
    return [
        row(conv(size, 64, groups), dtype, series=series, x=float(size), **about)
        for series, groups in groups_of_series.items()
        for size in sizes
        for dtype in dtypes
    ]


def movement_sweep() -> list[Measurement]:
    """Layers that compute nothing, and one that does a little."""
    about = {"sweep": "movement", "over": "output size"}
    return [
        row(copy(op, size), "fp16", series=op, x=float(size), **about)
        for op in ("Transpose", "Reshape", "Relu")
        for size in (14, 28, 56, 112)
    ]


def run_of(*rows: Measurement) -> Run:
    """A complete run with the roofs and these rows."""
    return Run(GPU, "2030-01-02T03:04:05Z", {}, {}, status="complete", measurements=[*ROOFS, *rows])
