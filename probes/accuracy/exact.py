"""What a network answers exactly, on the CPU: no optimisation changes its arithmetic.

Kernels of lower precision are left out: some saturate (INT8 on older x86), and some providers have
none (BF16). So integers are decoded and multiplied as floats, as their Q/DQ says; operations in
FP16 or BF16 are computed in FP32 and their results rounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.onnx.protos import copy_of, elements, keep_only
from kernels.processors import processors
from kernels.runtime.door import onnxruntime
from kernels.runtime.session import line_of
from kernels.runtime.values import array_of, filled, is_native
from probes.accuracy.ahead import ahead
from probes.records.measurement import RidgelineError

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

FP32, FP16, BF16 = 1, 10, 16
"""TensorProto.FLOAT, FLOAT16 and BFLOAT16."""
NARROW = frozenset((FP16, BF16))
CONVERTING = frozenset(("Cast", "CastLike", "QuantizeLinear", "DequantizeLinear", "Identity"))
"""Operations that change types themselves, or nothing: they run as they are."""

WITHOUT_SPINNING = ("session.intra_op.allow_spinning", "0")
"""Session entry that lets idle threads sleep: awake, they take the processor from NumPy, and on a
machine with other load a run takes four times as long."""
WITHOUT_PACKING = ("session.disable_prepacking", "1")
"""Session entry that keeps weights as they are: packed for products, they would be there twice."""
SMALL = 1 << 10
"""Elements of a stored tensor up to which it stays in the model: shapes may depend on it."""
ELSEWHERE = "location"
"""Key of a stub, which protobuf takes for a tensor in another file."""

MOST_LANES = 16
"""Inputs that run at the same time, at most: one alone keeps few threads busy without the runtime's
optimisation, and each takes the memory of its activations."""

Arrays = dict[str, np.ndarray]
"""Arrays by the names of their tensors."""


class Exact:
    """A network in a session that is kept, with all processors that there are.

    Raises RidgelineError if the runtime refuses the network.
    """

    def __init__(self, model: ModelProto, weights: Mapping[str, Any] | None = None) -> None:
        """weights: of the tensors of the model that are stubs, see ``shared_weights``."""
        ort = onnxruntime()
        options = ort.SessionOptions()
        options.log_severity_level = 4
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = threads_of_a_run()
        options.inter_op_num_threads = 1
        options.add_session_config_entry(*WITHOUT_PACKING)
        options.add_session_config_entry(*WITHOUT_SPINNING)
        computed = widened(model)
        stubs = [tensor.name for tensor in computed.graph.initializer if is_stub(tensor)]
        if stubs and weights:
            options.add_external_initializers(stubs, [weights[name] for name in stubs])
        try:
            self._session = ort.InferenceSession(
                computed.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the runtime's own types, one for each status
            name = model.graph.name or "the network"
            raise RidgelineError(
                f"{name} cannot be run by onnxruntime on the CPU: {line_of(error)}"
            ) from None
        self.outputs = [output.name for output in self._session.get_outputs()]
        """Their names, in order."""
        self.inputs = [value.name for value in self._session.get_inputs()]
        """Names of what it must be fed."""
        ends = [*self._session.get_inputs(), *self._session.get_outputs()]
        self._is_native = all(is_native(end.type) for end in ends)
        self._kinds = {
            value.name: value.type.tensor_type.elem_type for value in computed.graph.input
        }

    def run(self, feeds: Mapping[str, np.ndarray]) -> Arrays:
        """Its outputs by name. Raises RidgelineError if it cannot be run on these inputs."""
        try:
            if self._is_native:
                values = self._session.run(None, dict(feeds))
                return dict(zip(self.outputs, values, strict=True))
            held = {name: filled(array, self._kinds[name]) for name, array in feeds.items()}
            values = self._session.run_with_ort_values(self.outputs, held)
            return {name: array_of(value) for name, value in zip(self.outputs, values, strict=True)}
        except Exception as error:  # the runtime's own types
            raise RidgelineError(f"the network cannot be run: {line_of(error)}") from None

    def run_each(self, feeds: Iterable[Mapping[str, np.ndarray]]) -> Iterator[Arrays]:
        """Its outputs for each of these inputs, in their order; some run at the same time.

        Feeds are taken as they are needed. Raises RidgelineError as ``run`` does.
        """
        count = lanes()
        with ThreadPoolExecutor(count) as pool:
            running = (pool.submit(self.run, arrays) for arrays in feeds)
            for answer in ahead(running, count):
                yield answer.result()


def shared_weights(model: ModelProto) -> dict[str, Any]:
    """The large FP32 weights of a network as the runtime's values, by name.

    Sessions of its parts are given these, so that no part has to be written with its weights.
    """
    import onnx

    ort = onnxruntime()
    return {
        tensor.name: ort.OrtValue.ortvalue_from_numpy(onnx.numpy_helper.to_array(tensor))
        for tensor in model.graph.initializer
        if tensor.data_type == FP32 and elements(tensor.dims) > SMALL
    }


def stub_of(tensor: TensorProto) -> Any:
    """A stored tensor without its data, which a session is given."""
    import onnx

    stub = onnx.TensorProto(name=tensor.name, dims=tensor.dims, data_type=tensor.data_type)
    stub.data_location = onnx.TensorProto.EXTERNAL
    stub.external_data.add(key=ELSEWHERE, value=tensor.name)
    return stub


def is_stub(tensor: TensorProto) -> bool:
    """True if the data of a tensor lie elsewhere."""
    return bool(tensor.data_location)


def answers(model: ModelProto, feeds: Iterable[Mapping[str, np.ndarray]]) -> Iterator[Arrays]:
    """The outputs of a network by name, input by input."""
    yield from Exact(model).run_each(feeds)


def lanes() -> int:
    """How many inputs run at the same time."""
    return min(MOST_LANES, processors())


def threads_of_a_run() -> int:
    """How many threads one input has: more than there are processors would wait for one another."""
    return max(1, processors() // lanes())


def widened(model: ModelProto) -> Any:
    """The network with each operation in FP16 or BF16 computed in FP32 and rounded afterwards.

    Tensors keep their types. The network itself is returned if it has no such operation.
    """
    kinds = _narrow_kinds(model)
    if not kinds:
        return model
    copy = copy_of(model)
    # the type of every tensor stays declared where it was; Casts have their own names
    rewriting = _Widening(kinds)
    nodes: list[Any] = []
    for node in copy.graph.node:
        nodes += rewriting.rewritten(node)
    keep_only(copy.graph, "node", nodes)
    return copy


def _narrow_kinds(model: ModelProto) -> dict[str, int]:
    """The type of each tensor in FP16 or BF16, by name."""
    import onnx

    if not _mentions_narrow(model):
        return {}
    inferred = onnx.shape_inference.infer_shapes(without_data(model))
    graph = inferred.graph
    kinds = {
        value.name: value.type.tensor_type.elem_type
        for value in [*graph.input, *graph.output, *graph.value_info]
    }
    kinds.update((tensor.name, tensor.data_type) for tensor in model.graph.initializer)
    return {name: kind for name, kind in kinds.items() if kind in NARROW}


def _mentions_narrow(model: ModelProto) -> bool:
    """True if an input, a stored tensor or a Cast is in FP16 or BF16: all others follow these."""
    graph = model.graph
    if any(tensor.data_type in NARROW for tensor in graph.initializer):
        return True
    if any(value.type.tensor_type.elem_type in NARROW for value in graph.input):
        return True
    return any(
        attribute.i in NARROW or attribute.t.data_type in NARROW
        for node in graph.node
        for attribute in node.attribute
    )


def without_data(model: ModelProto) -> Any:
    """A copy whose large stored floats are declared only: shapes do not depend on them."""
    import onnx

    copy = type(model)()
    copy.ir_version = model.ir_version
    copy.opset_import.extend(model.opset_import)
    graph = copy.graph
    graph.name = model.graph.name or "network"
    graph.node.extend(model.graph.node)
    graph.input.extend(model.graph.input)
    graph.output.extend(model.graph.output)
    graph.value_info.extend(model.graph.value_info)
    declared = {value.name for value in model.graph.input}
    for tensor in model.graph.initializer:
        if elements(tensor.dims) <= SMALL and not is_stub(tensor):
            graph.initializer.append(tensor)
        elif tensor.name not in declared:
            graph.input.append(
                onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            )
    return copy


class _Widening:
    """Puts Casts around the operations of one network."""

    def __init__(self, kinds: Mapping[str, int]) -> None:
        self.kinds = kinds
        """Of the narrow tensors, by name."""
        self.wide: set[str] = set()
        """Narrow tensors that have a copy in FP32 already."""

    def rewritten(self, node: NodeProto) -> list[Any]:
        """The node in FP32, with Casts before it and after it where it was narrow."""
        import onnx

        narrow_results = [name for name in node.output if name in self.kinds]
        is_narrow = any(name in self.kinds for name in (*node.input, *node.output))
        if not is_narrow or node.op_type in CONVERTING:
            return [node]
        before, after = [], []
        for place, name in enumerate(node.input):
            if name not in self.kinds:
                continue
            copy = _wide_name(name)
            if name not in self.wide:
                self.wide.add(name)
                before.append(
                    onnx.helper.make_node("Cast", [name], [copy], f"{copy}_cast", to=FP32)
                )
            node.input[place] = copy
        for attribute in node.attribute:
            if attribute.name in ("to", "dtype") and attribute.i in NARROW:
                attribute.i = FP32
            if attribute.t.data_type in NARROW:
                _widen(attribute.t)
        for place, name in enumerate(node.output):
            if name not in narrow_results:
                continue
            unrounded = f"{name}_unrounded"
            node.output[place] = unrounded
            kind = self.kinds[name]
            after.append(
                onnx.helper.make_node("Cast", [unrounded], [name], f"{unrounded}_cast", to=kind)
            )
        return [*before, node, *after]


def _wide_name(name: str) -> str:
    return f"{name}_computed_in_fp32"


def _widen(tensor: Any) -> None:
    """Store a narrow tensor in FP32, in place."""
    import onnx

    array = onnx.numpy_helper.to_array(tensor).astype(np.float32)
    tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))


def add_outputs(model: ModelProto, names: Sequence[str]) -> None:
    """Make these tensors outputs of the network, too, in place."""
    import onnx

    known = {value.name: value for value in [*model.graph.value_info, *model.graph.input]}
    present = {value.name for value in model.graph.output}
    for name in names:
        if name not in present:
            model.graph.output.append(known.get(name, onnx.ValueInfoProto(name=name)))
