"""An ONNX model as a Kernel: its work, its reference, and the providers that run it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.base import Appeal, Kernel, Launch, Unavailable, Work
from kernels.cuda.memory import Stream
from kernels.device import Device
from kernels.onnx.graph import Graph, Node, OnnxError, Tensor, graph_of
from kernels.onnx.slow import summed
from kernels.onnx.work import INDEX_TYPES, LayerWork, work_of
from kernels.precision.convert import convert
from kernels.runtime import inputs as layer_inputs
from kernels.runtime import reference as layer_reference
from kernels.runtime import session
from kernels.runtime import values as runtime_values
from kernels.runtime.inputs import FREE, Chosen
from kernels.runtime.patience import SECONDS, TooLong

if TYPE_CHECKING:
    from onnx import ModelProto

TOLERANCE = {"fp64": 1e-9, "fp32": 2e-4, "tf32": 5e-3, "fp16": 1e-2, "bf16": 6e-2, "int8": 2.5e-2}
"""Largest difference from the reference, as a share of the largest output, by type.

It allows for the last bits of the type after some thousand additions; of an integer, for two steps.
"""
FORM = {"cpu": "u8s8", "cuda": "integer", "tensorrt": "s8s8"}
"""The form of INT8 by provider: see ``quantize.FORMS``."""
MEMORY_TIMES = {"cpu": 9, "cuda": 4, "tensorrt": 4}
"""Peak memory as a multiple of the bytes of a model's inputs, weights and outputs.

On a CPU it holds the model and its text, each session, and the reference: 5 to 9 were measured. On
a GPU it holds the runtime's own copies.
"""
INNER_TIMES = 4
"""Peak memory as a multiple of the bytes of the results inside of a model.

The launch and the reference each hold them, in blocks of powers of two.
"""


@dataclass(frozen=True, eq=False)
class TimedLayer:
    """A model to time, what it is fed, and what its answer must agree with."""

    op: str
    """The operation that gives the layer its name."""
    make: Callable[[], Any]
    """Makes the ModelProto."""
    fixed: str = ""
    """The type the model is already in, if it is not to be converted from FP32."""
    tolerance: Mapping[str, float] = field(default_factory=lambda: TOLERANCE)
    """Largest difference from the reference by type, as a share of the largest output."""
    source: Graph | None = None
    """The graph its work is counted on, if not the model's: INT8 counts as FP32."""
    by_node: bool = False
    """Count the traffic of each node, as a network's, not that across the model's border."""
    outline: Callable[[], Any] | None = None
    """Makes the model without the data of its weights, enough for a look at its shapes."""
    keep_model: bool = False
    """Keep the model between its precisions, and from turn to turn."""
    open_shaped: Sequence[Callable[[], Any]] = ()
    """Makers of the model with shapes left open, for a runtime that refuses the first."""
    chosen: Chosen = FREE
    """What its inputs are fed."""
    stored: bool = False
    """A network in the type that it is stored in: it is timed whatever the provider computes in."""
    seconds: float = SECONDS
    """Seconds that one run on the CPU may take."""
    inner_bytes: float = 0.0
    """Bytes of results inside of the model that exist at the worst moment."""
    make_seconds: float = 0.0
    """Seconds that making the model is expected to take, where that is long."""

    @cached_property
    def graph(self) -> Graph:
        """Nodes and shapes; the weights' data are dropped."""
        return self.source or graph_of((self.outline or self.fresh)())

    def kernel(self, backend: str) -> Kernel:
        """The kernel that runs it on one provider."""
        build: Callable[..., Launch] = partial(self._build, backend)
        return Kernel(
            self.op,
            self._work,
            partial(self._reference, backend),
            {backend: build},
            self.tolerance,
            footprint=partial(self._footprint, backend),
            appeals=partial(self._appeals, backend),
            slow_seconds=self.make_seconds + self.seconds,
        )

    def facts(self, dtype: str, backend: str) -> dict[str, Any]:
        """The params of its row (see ``probes.importers.layer_row``)."""
        work = self.work(dtype)
        return {
            "op": self.op,
            "family": work.family,
            "provider": backend,
            "precision": dtype,
            "warm": True,
            "working_set": work.compulsory_bytes,
            "textbook_bytes": work.textbook_bytes,
            "launches": len(self.graph.nodes),
            **({"slow": dict(work.slow)} if work.slow else {}),
            **channels(self.graph.nodes),
            **extent(self.graph),
        }

    def work(self, dtype: str) -> LayerWork:
        """Operations of all nodes, and bytes across the model's border, elements in ``dtype``."""
        as_stored = bool(self.fixed) and self.source is None
        precision = "" if as_stored else _replaced_precision(dtype)
        return model_work(self.graph, precision, self.op, self.by_node)

    def _work(self, dtype: str, **_: Any) -> Work:
        unknown = float("nan")
        try:
            work = self.work(dtype)
        except (ImportError, OnnxError, Unavailable):  # the row that says so has no numbers
            return Work(unknown, unknown)
        return Work(
            unknown if work.flops is None else work.flops,
            unknown if work.compulsory_bytes is None else work.compulsory_bytes,
        )

    @cached_property
    def size(self) -> layer_reference.Size:
        """Operations and bytes, by which the reference is chosen."""
        tensors = []
        for node in self.graph.nodes:
            tensors += [tensor for tensor in (*node.inputs, *node.outputs) if tensor]
        return layer_reference.Size(self.work("fp32").flops, _bytes(tensors, ""), self.seconds)

    def _footprint(self, backend: str, dtype: str, **_: Any) -> float:
        """Bytes that its launch and its check take; a tensor of unknown size counts as none."""
        try:
            graph = self.graph
        except (ImportError, OnnxError, Unavailable):  # the row says so
            return 0.0
        ends: Sequence[Tensor | None] = (*graph.inputs, *graph.weights, *graph.outputs)
        if len(graph.nodes) == 1:
            node = graph.nodes[0]
            ends = (*node.inputs, *node.outputs)
        distinct = {tensor.name: tensor for tensor in ends if tensor is not None}
        precision = _replaced_precision(dtype)
        border = sum(tensor.bytes(precision) or 0.0 for tensor in distinct.values())
        return MEMORY_TIMES[backend] * border + INNER_TIMES * self.inner_bytes

    def _model(self, dtype: str, backend: str) -> Any:
        """The ModelProto that is timed."""
        return self.fresh() if self.fixed else convert(self.fresh(), dtype, form=FORM[backend])

    def fresh(self) -> Any:
        """A model in its first type, which the caller may change."""
        if not self.keep_model:
            return self.make()
        model = _kept_model(self)
        copy = type(model)()
        copy.CopyFrom(model)
        return copy

    def _build(
        self,
        backend: str,
        device: Device,
        dtype: str,
        params: Mapping[str, Any],
        queue: Stream | None,
    ) -> Launch:
        if reason := session.missing(backend):
            raise Unavailable(reason)
        build = partial(
            session.build,
            dtype=dtype,
            backend=backend,
            device=device,
            queue=queue,
            how=params.get("how", ""),
            chosen=self.chosen,
            seconds=self.seconds,
            any_type=self.stored,
        )
        try:
            return build(self._model(dtype, backend))
        except TooLong:
            raise
        except Unavailable:
            for make in self.open_shaped:
                with suppress(Unavailable):
                    return build(make())
            raise

    def _appeals(
        self, backend: str, dtype: str, found: np.ndarray, right: np.ndarray
    ) -> Iterator[Appeal]:
        """Reasons why the result may differ although what was timed is right.

        They are chance, FP16's range, the runtime's INT8, and the reference.
        """
        model = self._model(dtype, backend)
        size = self.size
        inputs = layer_inputs.feeds(model, self.chosen)
        yield from layer_reference.chance(model, found, right)
        if dtype == "fp16":
            yield from layer_reference.overflow(found, right)
            in_fp32 = self.fresh()
            fed = layer_inputs.feeds(in_fp32, self.chosen)
            yield from layer_reference.inner_overflow(in_fp32, fed, found, right, size)
        if backend == "cpu":
            yield from layer_reference.saturation(model, inputs, found, right, size)
        if not self._is_own_reference(dtype):
            model = self.fresh()
            inputs = layer_inputs.feeds(model, self.chosen)
        yield from layer_reference.dispute(model, inputs, found, size)

    def _reference(self, backend: str, dtype: str, repeat: int, **_: Any) -> np.ndarray:
        """The expected outputs: of a float the answer in FP32, of an integer that of its model."""
        if self._is_own_reference(dtype):
            return _expected(self, self._model(dtype, backend))
        return _expected_in_fp32(self)

    def _is_own_reference(self, dtype: str) -> bool:
        """True if the reference runs the very model that is timed, not its FP32 form."""
        return bool(self.fixed) or dtype == "int8"


@lru_cache(maxsize=1)
def _kept_model(layer: TimedLayer) -> Any:
    """The model of a layer, kept while its precisions are built and checked.

    Weights can take longer to make than to multiply by.
    """
    return layer.make()


@lru_cache(maxsize=1)
def _expected_in_fp32(layer: TimedLayer) -> np.ndarray:
    """The expected outputs of a layer in FP32, kept while its other precisions are checked."""
    return _expected(layer, layer.fresh())


def _expected(layer: TimedLayer, model: ModelProto) -> np.ndarray:
    """All outputs in one vector. Raises Unavailable if no other program can run the model."""
    first_error: Exception | None = None
    for make in (lambda: model, *layer.open_shaped):
        try:
            candidate = make()
            feeds = layer_inputs.feeds(candidate, layer.chosen)
            return runtime_values.flat(layer_reference.expected(candidate, feeds, layer.size))
        except TooLong as error:
            raise Unavailable(f"its reference: {error}") from None
        except Exception as error:  # the runtime's own types, one for each status
            first_error = first_error or error
    why = session.line_of(first_error) if first_error else ""
    raise Unavailable(f"nothing else says what it should answer: {why}")


def _replaced_precision(dtype: str) -> str:
    """The type that replaces FP32 in the counting of bytes; empty where FP32 stays."""
    return "" if dtype in ("fp32", "tf32") else dtype


def model_work(graph: Graph, precision: str, op: str, by_node: bool = False) -> LayerWork:
    """The work of a whole graph; unknown work is None, never zero.

    Of one node it is as the table has it. The bytes of several are those that cross the graph's
    border, or, ``by_node``, the sum over the nodes. The family is that of the operation ``op``,
    which gives the layer its name.
    """
    works = [work_of(node, precision) for node in graph.nodes]
    if len(works) == 1:
        return works[0]
    named = [node.op == op for node in graph.nodes]
    family = works[named.index(True) if any(named) else 0].family
    weights = [tensor for tensor in graph.weights if tensor.dtype not in INDEX_TYPES]
    weight_bytes = _bytes(weights, precision)
    output_bytes = _bytes(graph.outputs, precision)
    if by_node:
        moved = _sum([work.compulsory_bytes for work in works])
    else:
        moved = _bytes([*graph.inputs, *weights, *graph.outputs], precision)
    return LayerWork(
        family,
        _sum([work.flops for work in works]),
        sum(tensor.size or 0 for tensor in weights),
        weight_bytes or 0.0,
        moved,
        _sum([output_bytes, weight_bytes]),
        "; ".join(filter(None, (work.problem for work in works))),
        summed(work.slow for work in works),
    )


def _sum(numbers: Sequence[float | None]) -> float | None:
    """The sum; None if one number is unknown."""
    if None in numbers:
        return None
    return sum(number or 0.0 for number in numbers)


def _bytes(tensors: Iterable[Tensor], precision: str) -> float | None:
    """Bytes of the tensors, each name once; None if one is unknown."""
    distinct = {tensor.name: tensor for tensor in tensors}
    size = _sum([tensor.bytes(precision) for tensor in distinct.values()])
    return None if size is None else float(size)


def channels(nodes: tuple[Node, ...]) -> dict[str, int]:
    """Channels in and out of the first convolution or product, as params of a row.

    They show whether the layer suits the tensor cores.
    """
    for node in nodes:
        weight = node.input(1)
        if weight is None or not weight.shape:
            continue
        if node.op == "Conv":
            groups = int(node.attributes.get("group", 1))
            return {
                "in_channels": weight.shape[1] * groups,
                "out_channels": weight.shape[0],
                "groups": groups,
            }
        if node.op in ("Gemm", "MatMul") and len(weight.shape) > 1:
            inner, outer = weight.shape[-2:]
            if node.attributes.get("transB"):
                inner, outer = outer, inner
            return {"in_channels": inner, "out_channels": outer}
    return {}


def extent(graph: Graph) -> dict[str, list[int]]:
    """The window of the first convolution or pooling, and the shape of what the graph answers.

    They are params of a row, by which people tell a layer from others. What is not known is left
    out.
    """
    facts = {}
    windows = (_window(node) for node in graph.nodes)
    window = next(filter(None, windows), None)
    if window:
        facts["window"] = window
    if graph.outputs and graph.outputs[0].shape:
        facts["shape"] = list(graph.outputs[0].shape)
    return facts


def _window(node: Node) -> list[int]:
    """Elements of a window in each direction of space; empty for an operation without one."""
    weight = node.input(1)
    if node.op == "Conv" and weight is not None and weight.shape:
        return list(weight.shape[2:])
    return list(node.attributes.get("kernel_shape", ()))
