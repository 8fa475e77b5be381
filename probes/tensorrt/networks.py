"""The network that TensorRT is given: with fixed shapes, and with its types where these are strong.

What TensorRT computes in which type follows from the network from version 11 on. So casts, or Q/DQ
nodes, are written into it here. Their scales are made up, as trtexec makes them up for ``--int8``
without a calibration: times are those of a real network, answers are not.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kernels.base import Unavailable, one_line
from kernels.onnx import cut
from kernels.onnx.graph import Graph, OnnxError, read_graph
from kernels.precision.apply import applied
from kernels.precision.clean import cleaned
from kernels.precision.stages import (
    FP32,
    INT8,
    ONNX_DOMAINS,
    SCORING,
    WEIGHTED,
    Stage,
    stages,
)
from probes.command import network
from probes.importers.layer_row import Nodes
from probes.importers.nodes import nodes_of

MADE_UP_RANGE = (-4.0, 4.0)
"""Of every activation, where integers need one."""
INTEGER_STAGES = WEIGHTED | {"Add"}
"""Operations that are given integers; those that pass numbers on between them follow."""
FLOATS_BESIDE_INTEGERS = "fp16"
"""What the other operations of a network in INT8 compute in, as networks are deployed."""
SCORES_IN_ONE = 13
"""The opset from which a Softmax is of one axis, as it is in those that have 8-bit integers."""
LARGEST_MODEL = 2**31 - 1
"""Bytes of the largest protobuf message, in which a network is handed over."""


@dataclass(frozen=True)
class Given:
    """A network as TensorRT is given it."""

    content: bytes
    """Its ONNX file."""
    nodes: Nodes
    """The work of its nodes, by name."""
    flops: float | None
    """The sum of their operations; None if one is unknown."""


def of_batch(asked: network.Asked, batch: int | None) -> network.Asked:
    """The same network at another batch size."""
    return replace(asked, batch=batch) if batch is not None else asked


def given(asked: network.Asked, precision: str, strongly_typed: bool) -> Given:
    """The network of ``asked`` for this precision.

    strongly_typed: its types must stand in it. Raises Unavailable where it has no such type, or is
    too large to be handed over.
    """
    graph = asked.graph
    try:
        model = cut.network_model(asked.path, asked.shapes, asked.batch)
        if strongly_typed and asked.stored == FP32 and precision not in (FP32, "tf32"):
            if precision == INT8:
                model, graph = _with_layers_merged(model, graph)
            model = typed(model, graph, precision)
        content = model.SerializeToString(deterministic=True)
    except OnnxError as error:
        raise Unavailable(str(error)) from None
    except (ValueError, MemoryError) as error:  # protobuf holds up to 2 GB
        raise Unavailable(f"the network cannot be handed over: {one_line(error)}") from None
    if len(content) > LARGEST_MODEL:
        size = len(content) / 1e9
        raise Unavailable(f"the network has {size:.1f} GB, and 2.1 GB can be handed over")
    nodes = nodes_of(graph.nodes, "" if precision in (FP32, "tf32") else precision)
    return Given(content, nodes, _sum([work.flops for work in nodes.values()]))


def typed(model: Any, graph: Graph, precision: str) -> Any:
    """The ModelProto with each of its stages in this precision, as far as it can have it."""
    in_order = stages(graph)
    precisions = {stage.name: _of_stage(stage, precision) for stage in in_order}
    opset = max((graph.opsets.get(domain, 1) for domain in ONNX_DOMAINS), default=1)
    if opset < SCORES_IN_ONE:
        # a newer opset makes several nodes of each, which are no part of its stage
        precisions |= {stage.name: FP32 for stage in in_order if stage.op in SCORING}
    ranges: Mapping[str, tuple[float, float]] = {}
    if precision == INT8:
        names = [name for stage in in_order for name in (*stage.reads, *stage.results)]
        ranges = dict.fromkeys(names, MADE_UP_RANGE)
    return applied(model, in_order, precisions, ranges, form="s8s8")


def _with_layers_merged(model: Any, graph: Graph) -> tuple[Any, Graph]:
    """The network with normalisations merged into the layers before them, and its graph.

    Between a convolution and its encoding they would keep TensorRT from running it on integers. The
    network stays as it is where nothing can merge them here.
    """
    try:
        merged = cleaned(model)
        with tempfile.TemporaryDirectory(prefix="ridgeline-") as folder:
            path = Path(folder) / "merged.onnx"
            path.write_bytes(merged.SerializeToString())
            return merged, read_graph(path, {}, None)
    except (Unavailable, OnnxError, OSError):
        return model, graph


def _of_stage(stage: Stage, precision: str) -> str:
    """The precision of a stage in a network of this precision."""
    if precision != INT8:
        return precision if precision in stage.precisions else FP32
    if stage.op in INTEGER_STAGES and INT8 in stage.precisions:
        return INT8
    beside = FLOATS_BESIDE_INTEGERS
    return beside if beside in stage.precisions else FP32


def _sum(counts: Sequence[float | None]) -> float | None:
    """Their sum; None if one is unknown."""
    if any(count is None for count in counts):
        return None
    return float(sum(count or 0.0 for count in counts))
