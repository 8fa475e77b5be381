"""A network in a file as a probe: each of its layers timed alone, and the whole of it in one go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import chain
from pathlib import Path

from kernels import layer_cut, layer_kernel, layer_ort, layer_static
from kernels.base import Unavailable
from kernels.layer_launch import INTEGER
from kernels.layer_quantize import QUANTIZED
from kernels.layer_units import Unit, units
from kernels.layer_work import work_of
from kernels.onnx_graph import FLOATS, Graph, Node, OnnxError, read_graph
from probes.harness.case import Case, Probe
from probes.harness.records import Device, RidgelineError

PRECISIONS = ("fp32", "tf32", "fp16", "bf16", "int8")
STORED = {"uint8": "int8"}
QUESTION = "How long does each layer of this network take, and the whole of it?"
WHOLE_TOLERANCE = {"fp64": 1e-6, "fp32": 2e-3, "tf32": 5e-2, "fp16": 5e-2, "bf16": 0.3, "int8": 0.3}
"""Of the largest output: roundings of all layers add up. Each layer was checked more strictly, alone. Of weights with
four bits runtimes round the activations, too."""
BLOCKED, FOUR_BITS = "MatMulNBits", ("int4", "uint4", "float4e2m1")


@dataclass(frozen=True)
class Asked:
    """A network and how it is asked for: dimensions of dynamic inputs, batch, precisions (none: as it is stored)."""

    path: Path
    shapes: Mapping[str, Sequence[int]]
    batch: int | None = None
    precisions: tuple[str, ...] = ()

    @cached_property
    def graph(self) -> Graph:
        """Its nodes and shapes. Raises RidgelineError in a line."""
        try:
            found = read_graph(self.path, self.shapes, self.batch)
        except OnnxError as error:
            raise RidgelineError(str(error)) from None
        if not found.nodes:
            raise RidgelineError(f"{self.path}: nothing in it runs: all it says is known before")
        return found

    @property
    def name(self) -> str:
        """Of the file, without its ending."""
        return self.path.stem

    @cached_property
    def packed(self) -> frozenset[str]:
        """Weights of four bits or fewer, which are widened to be computed with."""
        inside = (node.inputs[1:] for node in self.graph.nodes if node.op == BLOCKED)
        small = [tensor for tensor in self.graph.weights if tensor.dtype in FOUR_BITS]
        return frozenset(tensor.name for tensor in (*chain.from_iterable(inside), *small) if tensor)

    @cached_property
    def stored(self) -> str:
        """The precision it is stored in: of most of its weights, or of its inputs; INT8 where Q/DQ nodes ask for it."""
        if any(len(unit.nodes) > 1 for unit in units(self.graph)):
            return "int8"
        weights = [tensor for tensor in self.graph.weights if tensor.name not in self.packed]
        tensors = sorted(weights, key=lambda t: t.size or 0, reverse=True) or list(self.graph.inputs)
        kinds = (STORED.get(tensor.dtype, tensor.dtype) for tensor in tensors)
        return next((kind for kind in kinds if kind in (*PRECISIONS, "fp64")), "fp32")


def probe(asked: Asked) -> Probe:
    """The probe of this network. Raises RidgelineError where the file cannot be read, or is of another precision."""
    stored = asked.stored  # reads the file: what is wrong with it must show before anything is measured
    if asked.precisions and stored != "fp32" and asked.precisions != (stored,):
        raise RidgelineError(f"{asked.path} is stored in {stored}: leave --precision out, or give the FP32 network")
    return Probe("network", QUESTION, partial(cases, asked), default=False)


def cases(asked: Asked, device: Device) -> Iterator[Case]:
    """Every distinct layer once, with the rows of its twins, and the whole, in each precision on each provider."""
    from probes.layers import no_type, overhead

    for backend in layer_ort.providers(device):
        yield from overhead(backend)
        for precision in asked.precisions or (asked.stored,):
            skip = layer_ort.missing(backend) or no_type(precision, device)
            yield from _layers(asked, precision, backend, skip)
            yield _whole(asked, precision, backend, skip)


def _layers(asked: Asked, precision: str, backend: str, skip: str) -> Iterator[Case]:
    twins: dict[str, list[Unit]] = {}
    for unit in units(asked.graph):
        twins.setdefault(layer_cut.key_of(asked.graph, *unit.nodes), []).append(unit)
    for same in twins.values():
        yield _layer(asked, same, precision, backend, skip)


def _layer(asked: Asked, same: Sequence[Unit], precision: str, backend: str, skip: str) -> Case:
    node, nodes = same[0].node, same[0].nodes
    dtype, native = precision, "" if asked.stored == "fp32" else asked.stored
    if native:
        dtype = "int8" if len(nodes) > 1 else _own_type(node, native)
    elif precision == "int8" and node.op not in QUANTIZED:
        dtype = "fp32"  # as a quantizer leaves it
    source = replace(asked.graph, nodes=(node,)) if len(nodes) > 1 else None
    make, outline = (partial(layer_cut.alone, asked.graph, *nodes, hollow=hollow) for hollow in (False, True))
    timed = layer_kernel.TimedLayer(node.op, make, native, source=source, outline=outline)
    work = work_of(node, "" if native or dtype in ("fp32", "tf32") else dtype)
    try:
        timed.graph  # noqa: B018
        facts = timed.facts(dtype, backend)
    except (Unavailable, OnnxError) as error:
        skip, facts = skip or str(error), {"op": node.op, "family": work.family, "provider": backend}
    rows = [{**facts, "network": asked.name, "layer": each.node.name, "precision": precision} for each in same]
    if work.problem:
        rows = [{**row, "unknown": work.problem} for row in rows]
    return Case(timed.kernel(backend), dtype, backend, f"layer/{work.family}", rows[0], skip, also=tuple(rows[1:]))


def _own_type(node: Node, stored: str) -> str:
    """The type a node of such a network computes in: that of its first floats, int8 where it has a kernel of integers
    or no floats at all."""
    kinds = [tensor.dtype for tensor in (*node.inputs, *node.outputs) if tensor]
    if node.op.startswith(INTEGER):
        return "int8"
    return next((kind for kind in kinds if kind in FLOATS), "int8" if {"int8", "uint8"} & set(kinds) else stored)


def _whole(asked: Asked, precision: str, backend: str, skip: str) -> Case:
    make = partial(layer_cut.whole, asked.path, asked.shapes, asked.batch)
    native = "" if asked.stored == "fp32" else asked.stored
    if precision == "int8" and not native:
        make, native = partial(layer_static.quantized, make, backend), "int8"
    tolerance = {**WHOLE_TOLERANCE, "fp32": WHOLE_TOLERANCE["fp16"]} if asked.packed else WHOLE_TOLERANCE
    timed = layer_kernel.TimedLayer("network", make, native, tolerance, asked.graph)
    facts = timed.facts(precision, backend)
    params = {**facts, "network": asked.name, "layer": "whole network", "family": "network", "precision": precision}
    return Case(timed.kernel(backend), precision, backend, "layer/network", params, skip)
