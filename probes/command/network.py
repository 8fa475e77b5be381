"""A network in a file as a probe: each of its layers timed alone, and the whole of it in one go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import chain
from pathlib import Path

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

LARGEST_BF16 = (2 - 2**-7) * 2.0**127
PRECISIONS = ("fp32", "tf32", "fp16", "bf16", "int8")
STORED = {"uint8": "int8"}
QUESTION = "How long does each layer of this network take, and the whole of it?"
WHOLE_TOLERANCE = {"fp64": 1e-6, "fp32": 2e-3, "tf32": 5e-2, "fp16": 5e-2, "bf16": 0.3, "int8": 0.3}
"""Of the largest output: roundings of all layers add up. Each layer was checked more strictly,
alone. Of weights with four bits runtimes round the activations, too."""
TRUTH = {"true": True, "1": True, "false": False, "0": False}
WHOLE_NUMBERS = {
    f"{sign}int{bits}": np.iinfo(f"{sign}int{bits}")
    for sign in ("", "u")
    for bits in (8, 16, 32, 64)
}
FLOAT_ENDS = {
    "fp64": np.finfo(np.float64),
    "fp32": np.finfo(np.float32),
    "fp16": np.finfo(np.float16),
}
HELD: Mapping[str, tuple[float, float]] = {
    **{name: (int(ends.min), int(ends.max)) for name, ends in WHOLE_NUMBERS.items()},
    **{name: (float(ends.min), float(ends.max)) for name, ends in FLOAT_ENDS.items()},
    "bf16": (-LARGEST_BF16, LARGEST_BF16),
}
"""Least and largest number that an input of each type can be given."""
QUANTIZE_SECONDS = 3e-5
"""That the runtime's quantizer is expected to take for each pair of nodes: for each tensor it looks
at all of them.
"""
BLOCKED, FOUR_BITS = "MatMulNBits", ("int4", "uint4", "float4e2m1")


@dataclass(frozen=True)
class Asked:
    """A network and how it is asked for.

    shapes: dimensions of dynamic inputs. precisions: none is as it is stored. values: of inputs, as
    they were written. seconds: how long one run may take.
    """

    path: Path
    shapes: Mapping[str, Sequence[int]]
    batch: int | None = None
    precisions: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    seconds: float = SECONDS

    @cached_property
    def graph(self) -> Graph:
        """Its nodes and shapes. Raises RidgelineError in a line."""
        found = self._read(self.chosen.values) if self.values else self._unfed
        if not found.nodes:
            raise RidgelineError(f"{self.path}: nothing in it runs: all it says is known before")
        return found

    @cached_property
    def _unfed(self) -> Graph:
        """The same, whatever its inputs are fed."""
        return self._read({})

    def _read(self, values: Mapping[str, float]) -> Graph:
        try:
            return read_graph(self.path, self.shapes, self.batch, values)
        except OnnxError as error:
            raise RidgelineError(str(error)) from None

    @cached_property
    def chosen(self) -> Chosen:
        """What its inputs are fed. Raises RidgelineError for a value of no input, or one that its
        type cannot hold.
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
        """The precision it computes in: INT8 where it multiplies integers, or Q/DQ nodes ask for
        it.

        Else the type of most of its float weights, of its float inputs, or of what nodes make:
        weights in bytes that are decoded first are no arithmetic.
        """
        if any(len(unit.nodes) > 1 for unit in units(self.graph)):
            return "int8"
        nodes = self.graph.nodes
        integers = any(node.op.startswith(INTEGER) for node in nodes)
        weights = [tensor for tensor in self.graph.weights if tensor.name not in self.packed]
        largest = sorted(weights, key=lambda t: t.size or 0, reverse=True)
        made = [tensor for node in nodes for tensor in node.outputs if tensor]
        tensors = [*largest, *self.graph.inputs, *made]
        kinds = [STORED.get(tensor.dtype, tensor.dtype) for tensor in tensors]
        known = [kind for kind in kinds if kind in (*PRECISIONS, "fp64")]
        return next(
            (kind for kind in known if integers or kind != "int8"), next(iter(known), "fp32")
        )


def _value(tensor: Tensor, text: str) -> float:
    """A value for every element of an input. Raises RidgelineError where its type cannot hold
    it.
    """
    what = one_line(f"--input {tensor.name}={text}")
    if tensor.dtype == "bool":
        if text.lower() not in TRUTH:
            raise RidgelineError(f"{what}: it is true or false")
        return TRUTH[text.lower()]
    if tensor.dtype not in HELD:
        raise RidgelineError(
            f"{what}: an input of type {tensor.dtype or 'unknown'} cannot be given one"
        )
    least, most = HELD[tensor.dtype]
    try:
        value = int(text) if isinstance(most, int) else float(text)
    except ValueError:
        raise RidgelineError(f"{what}: that is no value of type {tensor.dtype}") from None
    if not least <= value <= most:
        raise RidgelineError(f"{what}: type {tensor.dtype} holds {least:g} to {most:g}")
    return value


def probe(asked: Asked) -> Probe:
    """The probe of this network. Raises RidgelineError where the file cannot be read, or is of
    another precision.
    """
    stored = (
        asked.stored
    )  # reads the file: what is wrong with it must show before anything is measured
    asked.chosen  # noqa: B018
    if asked.precisions and stored != "fp32" and asked.precisions != (stored,):
        raise RidgelineError(
            f"{asked.path} is stored in {stored}: leave --precision out, or give the FP32 network"
        )
    wrong = [
        f"{asked.path} declares its output {name} as {declared}; it is {found}, and runs as that"
        for name, (declared, found) in asked.graph.contradicted.items()
    ]
    return Probe("network", QUESTION, partial(cases, asked), default=False, warnings=tuple(wrong))


def cases(asked: Asked, device: Device) -> Iterator[Case]:
    """Every distinct layer once, with the rows of its twins, and the whole, in each precision on
    each provider.
    """
    from probes.layers import no_type, overhead

    for backend in session.providers(device):
        yield from overhead(backend)
        for precision in asked.precisions or (asked.stored,):
            skip = session.missing(backend) or no_type(precision, device)
            yield from _layers(asked, precision, backend, skip)
            yield _whole(asked, precision, backend, skip)


def _layers(asked: Asked, precision: str, backend: str, skip: str) -> Iterator[Case]:
    twins: dict[str, list[Unit]] = {}
    for unit in units(asked.graph):
        twins.setdefault(cut.key_of(asked.graph, *unit.nodes), []).append(unit)
    for same in twins.values():
        yield _layer(asked, same, precision, backend, skip)


def _layer(asked: Asked, same: Sequence[Unit], precision: str, backend: str, skip: str) -> Case:
    node, nodes = same[0].node, same[0].nodes
    dtype, native = precision, "" if asked.stored == "fp32" else asked.stored
    if native:
        dtype = "int8" if len(nodes) > 1 else _own_type(node, native)
    elif precision == "int8" and node.op not in QUANTIZED:
        dtype = "fp32"  # as a quantizer leaves it
    elif precision == asked.stored and (own := _own_type(node, precision)) in FLOATS - {precision}:
        dtype = native = own  # of a network of several types
    source = replace(asked.graph, nodes=(node,)) if len(nodes) > 1 else None
    make, outline = (
        partial(cut.layer_model, asked.graph, *nodes, hollow=hollow) for hollow in (False, True)
    )
    timed = layer_kernel.TimedLayer(
        node.op,
        make,
        native,
        source=source,
        outline=outline,
        chosen=asked.chosen,
        seconds=asked.seconds,
    )
    work = work_of(node, "" if native or dtype in ("fp32", "tf32") else dtype)
    try:
        timed.graph  # noqa: B018
        facts = timed.facts(dtype, backend)
    except (Unavailable, OnnxError) as error:
        skip, facts = (
            skip or str(error),
            {"op": node.op, "family": work.family, "provider": backend},
        )
    rows = [
        {**facts, "network": asked.name, "layer": each.node.name, "precision": precision}
        for each in same
    ]
    if work.problem:
        rows = [{**row, "unknown": work.problem} for row in rows]
    return Case(
        timed.kernel(backend),
        dtype,
        backend,
        Tag(LAYER, work.family),
        rows[0],
        skip,
        also=tuple(rows[1:]),
    )


def _own_type(node: Node, stored: str) -> str:
    """The type a node of such a network computes in: that of its first floats, int8 where it has a
    kernel of integers or no floats at all."""
    kinds = [tensor.dtype for tensor in (*node.inputs, *node.outputs) if tensor]
    if node.op.startswith(INTEGER):
        return "int8"
    return next(
        (kind for kind in kinds if kind in FLOATS),
        "int8" if {"int8", "uint8"} & set(kinds) else stored,
    )


def _kinds(asked: Asked) -> set[str]:
    """The types that a network computes or rounds in, of those that WHOLE_TOLERANCE has."""
    tensors = [tensor for node in asked.graph.nodes for tensor in node.outputs if tensor]
    kinds = {tensor.dtype for tensor in tensors} & WHOLE_TOLERANCE.keys()
    rounds = any(node.op in (ENCODE, "DynamicQuantizeLinear") for node in asked.graph.nodes)
    return {
        "fp32",
        *kinds - {"int8"},
        *(["fp16"] if asked.packed else []),
        *(["int8"] if rounds else []),
    }


def _whole(asked: Asked, precision: str, backend: str, skip: str) -> Case:
    make = partial(cut.network_model, asked.path, asked.shapes, asked.batch)
    loose = [partial(make, ends=ends) for ends in (cut.OPEN_OUTPUTS, cut.OPEN)]
    native, quantizing = "" if asked.stored == "fp32" else asked.stored, 0.0
    if precision == "int8" and not native:
        taken = partial(
            make, values=asked.chosen.values
        )  # the quantizer stumbles over branches that do not fit
        make = partial(static.quantized, taken, backend, asked.chosen, asked.seconds)
        native, loose, quantizing = "int8", [], QUANTIZE_SECONDS * len(asked.graph.nodes) ** 2
    tolerance = {**WHOLE_TOLERANCE, "fp32": max(WHOLE_TOLERANCE[kind] for kind in _kinds(asked))}
    timed = layer_kernel.TimedLayer(
        "network",
        make,
        native,
        tolerance,
        asked.graph,
        loose=loose if precision == asked.stored else (),
        stored=precision == asked.stored,
        chosen=asked.chosen,
        seconds=asked.seconds,
        held=asked.graph.peak_bytes(),
        kept=quantizing > 0,
        make_seconds=quantizing,
    )
    facts = timed.facts(precision, backend)
    params = {
        **facts,
        "network": asked.name,
        "layer": "whole network",
        "family": "network",
        "precision": precision,
    }
    tag = Tag(LAYER, "network")
    return Case(timed.kernel(backend), precision, backend, tag, params, skip)
