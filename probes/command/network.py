"""A network in a file as a probe: each of its layers timed alone, and the whole of it at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from kernels.base import Unavailable, one_line
from kernels.device import Device
from kernels.onnx import cut
from kernels.onnx.graph import FLOATS, Graph, Node, OnnxError, Tensor, read_graph
from kernels.onnx.work import work_of
from kernels.precision.quantize import QUANTIZED
from kernels.precision.units import ENCODE, Unit, units
from kernels.runtime import kernel as layer_kernel
from kernels.runtime import session, static
from kernels.runtime.inputs import Chosen
from kernels.runtime.launch import INTEGER
from kernels.runtime.patience import SECONDS
from probes.harness.case import Case, Probe
from probes.records.measurement import RidgelineError
from probes.records.tag import LAYER, Tag

PRECISIONS = ("fp32", "tf32", "fp16", "bf16", "int8")
PLANNED_PRECISIONS = {"cpu": ("fp32", "int8"), "cuda": ("fp32", "fp16", "int8")}
"""Those that may be faster than FP32, by kind of device: ONNX Runtime computes FP16 in FP32 on x86.
"""
PRUNED_PRECISIONS = {"cpu": ("fp32",), "cuda": ("fp32", "fp16")}
"""Those in which it is told what zeros could be worth: no unit for 2:4 takes FP32, and a CPU has
none at all."""
QUESTION = "How long does each layer of this network take, and the whole of it?"
WHOLE_TOLERANCE = {"fp64": 1e-6, "fp32": 2e-3, "tf32": 5e-2, "fp16": 5e-2, "bf16": 0.3, "int8": 0.3}
"""Largest error of the whole network's output, as a share of its largest value.

Roundings of all layers add up; each layer is checked more strictly, alone. Where weights have four
bits, runtimes round the activations, too.
"""
BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
QUANTIZE_SECONDS = 3e-5
"""Expected seconds of the runtime's quantizer for each pair of nodes: for each tensor it looks at
all nodes.
"""
FOUR_BIT_TYPES = ("int4", "uint4", "float4e2m1")
FOUR_BIT_PRODUCT = "MatMulNBits"


def _ranges() -> dict[str, tuple[float, float]]:
    """Least and largest number of each type of input, as int or float like the type itself."""
    ranges: dict[str, tuple[float, float]] = {}
    for bits in (8, 16, 32, 64):
        for name in (f"int{bits}", f"uint{bits}"):
            integers = np.iinfo(name)
            ranges[name] = (int(integers.min), int(integers.max))
    for name, kind in (("fp64", np.float64), ("fp32", np.float32), ("fp16", np.float16)):
        floats = np.finfo(kind)
        ranges[name] = (float(floats.min), float(floats.max))
    largest_bf16 = (2 - 2**-7) * 2.0**127
    ranges["bf16"] = (-largest_bf16, largest_bf16)
    return ranges


RANGES = _ranges()


@dataclass(frozen=True)
class Asked:
    """A network and how it is asked for."""

    path: Path
    shapes: Mapping[str, Sequence[int]]
    """Dimensions of dynamic inputs, by name."""
    batch: int | None = None
    """First dimension of its inputs."""
    precisions: tuple[str, ...] = ()
    """Precisions to time it in; none: the one that it is stored in."""
    values: Mapping[str, str] = field(default_factory=dict)
    """Values of inputs, by name, as the user wrote them."""
    seconds: float = SECONDS
    """How long one run may take."""
    planned: bool = False
    """True if a plan is to be made of it: its layers are then timed in all that may gain, and the
    whole of it in INT8 by recipes of the plan."""
    pruned: bool = False
    """True if what of its weights can go is to be found: its layers are then timed in all that
    units for 2:4 take."""

    @cached_property
    def graph(self) -> Graph:
        """Its nodes and shapes. Raises RidgelineError where it cannot be read, or nothing runs."""
        graph = self._read(self.chosen.values) if self.values else self._unfed
        if not graph.nodes:
            raise RidgelineError(f"{self.path}: nothing in it runs: all it says is known before")
        return graph

    @cached_property
    def _unfed(self) -> Graph:
        """The graph as it is for any values of its inputs."""
        return self._read({})

    def _read(self, values: Mapping[str, float]) -> Graph:
        try:
            return read_graph(self.path, self.shapes, self.batch, values)
        except OnnxError as error:
            raise RidgelineError(str(error)) from None

    @cached_property
    def chosen(self) -> Chosen:
        """What its inputs are fed.

        Raises RidgelineError for a value of no input, or one that the input's type cannot hold.
        """
        inputs = {tensor.name: tensor for tensor in self._unfed.inputs}
        for name in self.values:
            if name not in inputs:
                raise RidgelineError(
                    f"--input {name}: {self.path} has no such input: {', '.join(inputs) or 'none'}"
                )
        values = {name: _value(inputs[name], text) for name, text in self.values.items()}
        shapes = {name: tensor.shape for name, tensor in inputs.items() if tensor.shape is not None}
        return Chosen(values, shapes)

    def check(self) -> None:
        """Raise RidgelineError now for what ``graph`` or ``chosen`` would raise at first use."""
        _ = self.graph, self.chosen

    @property
    def name(self) -> str:
        """Name of the file, without its ending."""
        return self.path.stem

    @cached_property
    def packed(self) -> frozenset[str]:
        """Names of the weights with four bits or fewer, which are widened to be computed with."""
        names = {tensor.name for tensor in self.graph.weights if tensor.dtype in FOUR_BIT_TYPES}
        for node in self.graph.nodes:
            if node.op == FOUR_BIT_PRODUCT:
                names |= {tensor.name for tensor in node.inputs[1:] if tensor}
        return frozenset(names)

    @cached_property
    def stored(self) -> str:
        """The precision it computes in.

        It is INT8 where Q/DQ nodes ask for it. Else it is the type of the largest weight, of an
        input, or of a node's output, in this order. Bytes count only where integers are multiplied,
        or where there is nothing else: weights in bytes that are decoded first are no arithmetic.
        """
        if any(len(unit.nodes) > 1 for unit in units(self.graph)):
            return "int8"
        weights = [tensor for tensor in self.graph.weights if tensor.name not in self.packed]
        weights.sort(key=lambda tensor: tensor.size or 0, reverse=True)
        tensors = [*weights, *self.graph.inputs]
        for node in self.graph.nodes:
            tensors += [tensor for tensor in node.outputs if tensor]
        dtypes = ["int8" if tensor.dtype == "uint8" else tensor.dtype for tensor in tensors]
        precisions = [dtype for dtype in dtypes if dtype in (*PRECISIONS, "fp64")]
        multiplies_integers = any(node.op.startswith(INTEGER) for node in self.graph.nodes)
        for precision in precisions:
            if multiplies_integers or precision != "int8":
                return precision
        return "int8" if precisions else "fp32"


def _value(tensor: Tensor, text: str) -> float:
    """The number that a user wrote for an input.

    Raises RidgelineError if it is none, or the input's type cannot hold it.
    """
    what = one_line(f"--input {tensor.name}={text}")
    if tensor.dtype == "bool":
        if text.lower() not in BOOLEANS:
            raise RidgelineError(f"{what}: it is true or false")
        return BOOLEANS[text.lower()]
    if tensor.dtype not in RANGES:
        raise RidgelineError(
            f"{what}: an input of type {tensor.dtype or 'unknown'} cannot be given one"
        )
    least, largest = RANGES[tensor.dtype]
    try:
        value = int(text) if isinstance(largest, int) else float(text)
    except ValueError:
        raise RidgelineError(f"{what}: that is no value of type {tensor.dtype}") from None
    if not least <= value <= largest:
        raise RidgelineError(f"{what}: type {tensor.dtype} holds {least:g} to {largest:g}")
    return value


def probe(asked: Asked) -> Probe:
    """The probe of this network.

    Raises RidgelineError where the file cannot be read, or is of another precision.
    """
    asked.check()  # what is wrong must show before anything is measured
    stored = asked.stored
    if asked.precisions and stored != "fp32" and asked.precisions != (stored,):
        raise RidgelineError(
            f"{asked.path} is stored in {stored}: leave --precision out, or give the FP32 network"
        )
    warnings = tuple(
        f"{asked.path} declares its output {name} as {declared}; it is {real}, and runs as that"
        for name, (declared, real) in asked.graph.contradicted.items()
    )
    return Probe("network", QUESTION, partial(cases, asked), default=False, warnings=warnings)


def cases(asked: Asked, device: Device) -> Iterator[Case]:
    """The layers and the whole network, in each precision on each provider.

    Layers that are the same are timed once, and each has its row.
    """
    from probes.layers import no_type, overhead

    for backend in session.providers(device):
        yield from overhead(backend)
        for precision in _precisions(asked, device):
            skip = session.missing(backend) or no_type(precision, device)
            yield from _layers(asked, precision, backend, skip)
            if not (asked.planned and precision == "int8"):
                yield _whole(asked, precision, backend, skip)


def _precisions(asked: Asked, device: Device) -> Sequence[str]:
    """The precisions to time it in."""
    if asked.planned:
        return asked.precisions or PLANNED_PRECISIONS[device.kind]
    if asked.pruned:
        return asked.precisions or PRUNED_PRECISIONS[device.kind]
    return asked.precisions or (asked.stored,)


def _layers(asked: Asked, precision: str, backend: str, skip: str) -> Iterator[Case]:
    """A case for every distinct layer."""
    units_by_key: dict[str, list[Unit]] = {}
    for unit in units(asked.graph):
        key = cut.key_of(asked.graph, *unit.nodes)
        units_by_key.setdefault(key, []).append(unit)
    for twins in units_by_key.values():
        yield _layer(asked, twins, precision, backend, skip)


def _layer(asked: Asked, twins: Sequence[Unit], precision: str, backend: str, skip: str) -> Case:
    """The case of one layer, with a row for each of its twins."""
    node = twins[0].node
    nodes = twins[0].nodes
    is_quantized = len(nodes) > 1  # by the Q/DQ nodes around it
    dtype, native = _types(asked, node, is_quantized, precision)
    timed = layer_kernel.TimedLayer(
        node.op,
        partial(cut.layer_model, asked.graph, *nodes, hollow=False),
        native,
        source=replace(asked.graph, nodes=(node,)) if is_quantized else None,
        outline=partial(cut.layer_model, asked.graph, *nodes, hollow=True),
        chosen=asked.chosen,
        seconds=asked.seconds,
    )
    as_stored = native or dtype in ("fp32", "tf32")
    work = work_of(node, "" if as_stored else dtype)
    try:
        facts = timed.facts(dtype, backend)
    except (Unavailable, OnnxError) as error:
        skip = skip or str(error)
        facts = {"op": node.op, "family": work.family, "provider": backend}
    rows = []
    for twin in twins:
        row = {**facts, "network": asked.name, "layer": twin.node.name, "precision": precision}
        if work.problem:
            row["unknown"] = work.problem
        rows.append(row)
    return Case(
        timed.kernel(backend),
        dtype,
        backend,
        Tag(LAYER, work.family),
        rows[0],
        skip,
        also=tuple(rows[1:]),
    )


def _types(asked: Asked, node: Node, is_quantized: bool, precision: str) -> tuple[str, str]:
    """(dtype, native) of a layer: the type it computes in, and its type if it is not converted.

    A network that is not stored in FP32 is timed as it is. Of one that is, a quantizer leaves some
    operations in floats, and some nodes of a network of several types are no FP32.
    """
    if asked.stored != "fp32":
        dtype = "int8" if is_quantized else _dtype_of(node, asked.stored)
        return dtype, asked.stored
    if precision == "int8" and node.op not in QUANTIZED:
        return "fp32", ""
    if precision == "fp32":
        dtype = _dtype_of(node, "fp32")
        if dtype in FLOATS - {"fp32"}:
            return dtype, dtype
    return precision, ""


def _dtype_of(node: Node, stored: str) -> str:
    """The type a node computes in, of a network that is stored in ``stored``.

    It is that of its first floats, and int8 where it has a kernel of integers or no floats at all.
    """
    if node.op.startswith(INTEGER):
        return "int8"
    dtypes = [tensor.dtype for tensor in (*node.inputs, *node.outputs) if tensor]
    for dtype in dtypes:
        if dtype in FLOATS:
            return dtype
    return "int8" if {"int8", "uint8"} & set(dtypes) else stored


def _rounding_types(asked: Asked) -> set[str]:
    """The types that a network computes or rounds in, of those that WHOLE_TOLERANCE has."""
    types = {"fp32"}
    for node in asked.graph.nodes:
        types |= {tensor.dtype for tensor in node.outputs if tensor}
    types &= WHOLE_TOLERANCE.keys() - {"int8"}
    if asked.packed:
        types.add("fp16")
    if any(node.op in (ENCODE, "DynamicQuantizeLinear") for node in asked.graph.nodes):
        types.add("int8")
    return types


def _whole(asked: Asked, precision: str, backend: str, skip: str) -> Case:
    """The case of the whole network."""
    make = partial(cut.network_model, asked.path, asked.shapes, asked.batch)
    as_stored = precision == asked.stored
    tolerance = dict(WHOLE_TOLERANCE)
    tolerance["fp32"] = max(WHOLE_TOLERANCE[dtype] for dtype in _rounding_types(asked))
    if precision == "int8" and asked.stored == "fp32":
        # the quantizer stumbles over branches that do not fit the values of the inputs
        fitting = partial(make, values=asked.chosen.values)
        model = partial(static.quantized, fitting, backend, asked.chosen, asked.seconds)
        native = "int8"
        quantizing = QUANTIZE_SECONDS * len(asked.graph.nodes) ** 2
    else:
        model = make
        native = "" if asked.stored == "fp32" else asked.stored
        quantizing = 0.0
    loose: tuple[Any, ...] = ()
    if as_stored:
        loose = (partial(make, ends=cut.OPEN_OUTPUTS), partial(make, ends=cut.OPEN))
    timed = layer_kernel.TimedLayer(
        "network",
        model,
        native,
        tolerance,
        asked.graph,
        open_shaped=loose,
        stored=as_stored,
        chosen=asked.chosen,
        seconds=asked.seconds,
        inner_bytes=asked.graph.inner_bytes(),
        keep_model=quantizing > 0,
        make_seconds=quantizing,
    )
    params = {
        **timed.facts(precision, backend),
        "network": asked.name,
        "layer": "whole network",
        "family": "network",
        "precision": precision,
    }
    tag = Tag(LAYER, "network")
    return Case(timed.kernel(backend), precision, backend, tag, params, skip)
