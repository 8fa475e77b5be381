"""A small ONNX model as a Kernel: work from the table of operations, a reference, and the providers
that run it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.base import Appeal, Kernel, Launch, Unavailable, Work
from kernels.cuda.memory import Stream
from kernels.device import Device
from kernels.onnx.graph import Graph, Node, OnnxError, graph_of
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
"""Of the largest output: the last bits of the type after some thousand additions; of an integer,
two steps.
"""
FORM = {"cpu": "u8s8", "cuda": "integer", "tensorrt": "s8s8"}
"""Of INT8, by provider: see ``quantize.FORMS``."""
MEMORY_TIMES = {"cpu": 9, "cuda": 4, "tensorrt": 4}
"""Of what its tensors take, at the peak (on a CPU 5 to 9 were seen): model and text, each session,
the reference; on a GPU the runtime's own copies."""


INNER_TIMES = 4
"""Of what is alive inside of it: of the launch and of the reference, each in blocks of powers of
two.
"""


@dataclass(frozen=True, eq=False)
class TimedLayer:
    """A model to time, and what it is fed and held to."""

    op: str
    make: Callable[[], Any]
    """Makes the ModelProto."""
    fixed: str = ""
    """Its own type, if it is not to be converted from FP32."""
    tolerance: Mapping[str, float] = field(default_factory=lambda: TOLERANCE)
    source: Graph | None = None
    """The graph its work is counted on, if not the model's own: INT8 counts as the FP32 it stands
    for.
    """
    by_node: bool = False
    """Count the traffic of each node, as a network's, not that across the model's border."""
    outline: Callable[[], Any] | None = None
    """Makes the same without the data of its weights, where there may be too many to make for a
    look at its shapes.
    """
    kept: bool = False
    """Keep the model between its precisions, and from turn to turn."""
    loose: Sequence[Callable[[], Any]] = ()
    """Makers of the same with shapes left open, for a runtime that refuses the first."""
    chosen: Chosen = FREE
    """What its inputs are fed."""
    stored: bool = False
    """A network in the type that it is stored in: it is timed whatever the provider computes in."""
    seconds: float = SECONDS
    """How long one run on the CPU may take."""
    held: float = 0.0
    """Bytes of what is alive inside of it at the worst moment."""
    make_seconds: float = 0.0
    """How long making its model is expected to take, where that is long."""

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
        """What its row says of it beside the work: params of a layer's row
        (probes.importers.layer_row).
        """
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
            **channels(self.graph.nodes),
        }

    def work(self, dtype: str) -> LayerWork:
        """Operations of all nodes, bytes across the model's border once, in elements of
        ``dtype``.
        """
        native = (self.fixed and self.source is None) or dtype in ("fp32", "tf32")
        precision = "" if native else dtype
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
        """How large it is, for who asks what it should answer."""
        every = (
            tensor
            for node in self.graph.nodes
            for tensor in (*node.inputs, *node.outputs)
            if tensor
        )
        return layer_reference.Size(self.work("fp32").flops, _bytes(every, ""), self.seconds)

    def _footprint(self, backend: str, dtype: str, **_: Any) -> float:
        """Bytes that its launch and its check take; what is not known counts as none."""
        try:
            graph = self.graph
        except (ImportError, OnnxError, Unavailable):  # the row says so
            return 0.0
        (first, *others) = graph.nodes
        ends = (
            (*graph.inputs, *graph.weights, *graph.outputs)
            if others
            else (*first.inputs, *first.outputs)
        )
        distinct = {tensor.name: tensor for tensor in ends if tensor is not None}.values()
        precision = "" if dtype in ("fp32", "tf32") else dtype
        known = sum(tensor.bytes(precision) or 0.0 for tensor in distinct)
        return MEMORY_TIMES[backend] * known + INNER_TIMES * self.held

    def _model(self, dtype: str, backend: str) -> Any:
        return self.fresh() if self.fixed else convert(self.fresh(), dtype, form=FORM[backend])

    def fresh(self) -> Any:
        """A model of its own for whoever changes it."""
        if not self.kept:
            return self.make()
        made = _made(self)
        copy = type(made)()
        copy.CopyFrom(made)
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
            for make in self.loose:
                with suppress(Unavailable):
                    return build(make())
            raise

    def _appeals(
        self, backend: str, dtype: str, found: np.ndarray, right: np.ndarray
    ) -> Iterator[Appeal]:
        """Why the result may differ though nothing is wrong with what was timed: chance, FP16's
        range, the runtime's INT8, the reference."""
        model, size = self._model(dtype, backend), self.size
        given = layer_inputs.feeds(model, self.chosen)
        yield from layer_reference.chance(model, found, right)
        if dtype == "fp16":
            yield from layer_reference.overflow(found, right)
        if backend == "cpu":
            yield from layer_reference.saturation(model, given, found, right, size)
        if not self._itself(dtype):
            model = self.fresh()
            given = layer_inputs.feeds(model, self.chosen)
        yield from layer_reference.dispute(model, given, found, size)

    def _reference(self, backend: str, dtype: str, repeat: int, **_: Any) -> np.ndarray:
        """Floats are held to FP32 on the same numbers, integers to the same integers computed as
        floats.
        """
        return _answer(self, self._model(dtype, backend)) if self._itself(dtype) else _in_fp32(self)

    def _itself(self, dtype: str) -> bool:
        """True if the reference is the answer of the very model that is timed, not of its FP32
        form.
        """
        return bool(self.fixed) or dtype == "int8"


@lru_cache(maxsize=1)
def _made(layer: TimedLayer) -> Any:
    """Kept while its precisions are built and checked: weights can take longer to make than to
    multiply by.
    """
    return layer.make()


@lru_cache(maxsize=1)
def _in_fp32(layer: TimedLayer) -> np.ndarray:
    """What a layer answers in FP32: kept while its other precisions are checked."""
    return _answer(layer, layer.fresh())


def _answer(layer: TimedLayer, model: ModelProto) -> np.ndarray:
    """All outputs in one vector. Raises Unavailable where no other program can run the model."""
    refused: Exception | None = None
    for make in (lambda: model, *layer.loose):
        try:
            found = make()
            feeds = layer_inputs.feeds(found, layer.chosen)
            return runtime_values.flat(layer_reference.expected(found, feeds, layer.size))
        except TooLong as error:
            raise Unavailable(f"its reference: {error}") from None
        except Exception as error:  # the runtime's own types, one for each status
            refused = refused or error
    why = session.line_of(refused) if refused else ""
    raise Unavailable(f"nothing else says what it should answer: {why}")


def model_work(graph: Graph, precision: str, op: str, by_node: bool = False) -> LayerWork:
    """The work of a whole graph: of one node as the table has it, of several what crosses the
    graph's border.

    by_node: the sum over nodes instead.

    The family is that of the operation ``op`` that gives the layer its name. Unknown work is None,
    never zero.
    """
    works = [work_of(node, precision) for node in graph.nodes]
    family = next(
        (w.family for node, w in zip(graph.nodes, works, strict=True) if node.op == op),
        works[0].family,
    )
    if len(works) == 1:
        return works[0]
    flops = [work.flops for work in works]
    weights = [t for t in graph.weights if t.dtype not in INDEX_TYPES]
    held, moved = (
        _bytes(weights, precision),
        _bytes([*graph.inputs, *weights, *graph.outputs], precision),
    )
    if by_node:
        each = [work.compulsory_bytes for work in works]
        moved = None if None in each else sum(size or 0.0 for size in each)
    written = _bytes(graph.outputs, precision)
    return LayerWork(
        family,
        None if None in flops else sum(flop or 0.0 for flop in flops),
        sum(t.size or 0 for t in weights),
        held or 0.0,
        moved,
        None if written is None or held is None else written + held,
        "; ".join(filter(None, (work.problem for work in works))),
    )


def _bytes(tensors: Any, precision: str) -> float | None:
    sizes = [tensor.bytes(precision) for tensor in {t.name: t for t in tensors}.values()]
    return None if None in sizes else float(sum(sizes))


def channels(nodes: tuple[Node, ...]) -> dict[str, int]:
    """Channels in and out of the first convolution or product: whether they suit the tensor cores
    is read from them.
    """
    for node in nodes:
        weight = node.input(1)
        if node.op == "Conv" and weight is not None and weight.shape:
            groups = int(node.attributes.get("group", 1))
            return {
                "in_channels": weight.shape[1] * groups,
                "out_channels": weight.shape[0],
                "groups": groups,
            }
        if (
            node.op in ("Gemm", "MatMul")
            and weight is not None
            and weight.shape
            and len(weight.shape) > 1
        ):
            turned = bool(node.attributes.get("transB"))
            inner, outer = weight.shape[-2:][:: -1 if turned else 1]
            return {"in_channels": inner, "out_channels": outer}
    return {}
