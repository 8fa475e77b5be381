"""Rewrite an ONNX model from FP32 to FP16 or BF16: inputs, outputs, weights and all between.

So no layer is timed with a conversion it need not have. Which inputs an operation takes in which
type is read from ONNX's own schemas (Resize keeps its scales in FP32); a Cast stands only where an
operation has no such type.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.base import Unavailable, one_line
from kernels.onnx.file import LARGEST_VALUE, without_weights
from kernels.onnx.protos import copy_of, elements
from kernels.onnx.settle import settle

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

NARROW = {"fp16": "float16", "bf16": "bfloat16"}
"""As ONNX's type strings name them."""
BF16_OPSET = 22
"""The first in which convolution and pooling take BF16 (ONNX operator changelog, Conv-22)."""
BF16_IR_VERSION = 10
"""What opset 22 is released with (ONNX's table of versions)."""
FP16_MAX = 65504
"""The largest finite value."""
FLOAT = 1
"""TensorProto.FLOAT; attributes ``to`` and ``dtype`` hold it as a number."""


def narrow(model: ModelProto, dtype: str) -> Any:
    """A copy of ``model`` in ``dtype``, fp16 or bf16.

    Raises Unavailable where no operation of it has that type.
    """
    rewriting = _Narrowing(model, dtype)
    if dtype == "bf16" and not rewriting.fits():
        rewriting = _Narrowing(raised(model, BF16_OPSET, BF16_IR_VERSION, dtype), dtype)
    rewriting.apply()
    return rewriting.model


def narrowed(values: np.ndarray, dtype: str) -> bytes:
    """Floats as little-endian bytes of FP16 or BF16, both rounded to nearest, ties to even.

    What FP16 cannot hold becomes the largest value that it can; infinities, of which masks are
    made, stay.
    """
    if dtype == "fp16":
        clipped = np.clip(values, -FP16_MAX, FP16_MAX)
        return np.where(np.isinf(values), values, clipped).astype("<f2").tobytes()
    bits = np.ascontiguousarray(values, dtype="<f4").view("<u4")
    is_odd = (bits >> np.uint32(16)) & np.uint32(1)
    rounded = bits + np.uint32(0x7FFF) + is_odd
    # Rounding could carry a NaN into its sign.
    sound = np.where(np.isnan(values), np.uint32(0x7FC00000), rounded)
    return (sound >> np.uint32(16)).astype("<u2").tobytes()


def raised(model: ModelProto, opset: int, ir_version: int, dtype: str) -> Any:
    """The model at ``opset``, which has ``dtype`` for nearly everything.

    It stays as it is where onnx has no such opset yet. Raises Unavailable where onnx cannot convert
    the model. ``dtype`` is for that text only.
    """
    import onnx.version_converter

    if _opset(model) >= opset or onnx.defs.onnx_opset_version() < opset:
        return model
    # the converter reads no large weights, and takes seconds to pass them on
    light = model if model.functions else without_weights(model)
    try:
        newer = onnx.version_converter.convert_version(light, opset)
    except Exception as problem:  # of the C++ converter: its type changes by version
        raise Unavailable(
            f"no {dtype}: cannot bring the model to opset {opset}: {one_line(problem)}"
        ) from problem
    if light is not model:
        _give_weights(newer, model)
    newer.ir_version = max(model.ir_version, ir_version)
    return newer


def _give_weights(light: ModelProto, whole: ModelProto) -> None:
    """Give a model without large weights those of the whole one, in place."""
    stored = {tensor.name: tensor for tensor in whole.graph.initializer}
    for tensor in light.graph.initializer:
        if elements(tensor.dims) > LARGEST_VALUE and tensor.name in stored:
            tensor.CopyFrom(stored[tensor.name])


def _opset(model: ModelProto) -> int:
    """The version of ONNX's own operations; 1 where the model imports none."""
    for entry in model.opset_import:
        if entry.domain in ("", "ai.onnx"):
            return int(entry.version)
    return 1


class _Narrowing:
    """One rewriting, of a copy."""

    def __init__(self, model: ModelProto, dtype: str) -> None:
        import onnx

        self.model = copy_of(model)
        self.graph = self.model.graph
        self.dtype = dtype
        self.kind = onnx.TensorProto.DataType.Value(NARROW[dtype].upper())
        """The narrow type's number in TensorProto."""
        self.opset = _opset(model)
        self.stored = {
            tensor.name: tensor for tensor in self.graph.initializer if tensor.data_type == FLOAT
        }
        """FP32 initializers, by name."""
        self.floats = {*self.stored, *_float_names(settle(self.model))}
        """Names of all FP32 tensors."""
        self.wide: dict[str, Any] = {}
        """Copies of stored tensors that some node takes in FP32 only, by the name of the tensor."""
        self.narrow_inputs = 0
        """How many inputs are read in the narrow type."""

    def fits(self) -> bool:
        """True if every operation takes all its activations in the narrow type."""
        activations = self.floats - self.stored.keys()
        for node in self.graph.node:
            for place, name in enumerate(node.input):
                if name in activations and not self._takes(node, "inputs", place):
                    return False
        return True

    def apply(self) -> None:
        """Rewrite the model; raise Unavailable where nothing in it can be narrow."""
        nodes: list[Any] = []
        for node in self.graph.node:
            nodes += self._rewritten(node)
        if not self.narrow_inputs:
            ops = ", ".join(dict.fromkeys(node.op_type for node in self.graph.node))
            raise Unavailable(f"{ops}: ONNX opset {self.opset} has no {self.dtype} for it")
        self.graph.ClearField("node")
        self.graph.node.extend(nodes)
        for value in [*self.graph.input, *self.graph.output, *self.graph.value_info]:
            if value.type.tensor_type.elem_type == FLOAT:
                value.type.tensor_type.elem_type = self.kind
        for tensor in self.stored.values():
            self._narrow(tensor)
        self.graph.initializer.extend(self.wide.values())

    def _narrow(self, tensor: TensorProto) -> None:
        """Store an FP32 tensor in the narrow type, in place."""
        import onnx

        data = narrowed(onnx.numpy_helper.to_array(tensor), self.dtype)
        name = tensor.name
        dims = list(tensor.dims)
        tensor.Clear()
        tensor.name = name
        tensor.dims.extend(dims)
        tensor.data_type = self.kind
        tensor.raw_data = data

    def _rewritten(self, proto: NodeProto) -> list[Any]:
        """The node, and a Cast before or after it wherever ONNX gives it no such type."""
        import onnx

        node = copy_of(proto)
        self._retype(node)
        before = []
        for place, name in enumerate(proto.input):
            if name not in self.floats:
                continue
            if self._takes(node, "inputs", place):
                self.narrow_inputs += node.op_type not in ("Cast", "Identity")
            elif name in self.stored:
                self._read_wide_copy(node, place, name)
            else:
                before.append(self._cast_before(node, place, name))
        after = []
        for place, name in enumerate(proto.output):
            if name in self.floats and not self._takes(node, "outputs", place):
                wide = f"{name}_fp32"
                node.output[place] = wide
                after.append(
                    onnx.helper.make_node("Cast", [wide], [name], f"{name}_cast", to=self.kind)
                )
        return [*before, node, *after]

    def _read_wide_copy(self, node: NodeProto, place: int, name: str) -> None:
        """Let the node read a stored tensor in FP32, from a copy."""
        node.input[place] = f"{name}_fp32"
        if name not in self.wide:
            self.wide[name] = copy_of(self.stored[name])
            self.wide[name].name = f"{name}_fp32"

    def _cast_before(self, node: NodeProto, place: int, name: str) -> Any:
        """Let the node read an activation in FP32; returns the Cast that makes it."""
        import onnx

        cast = f"{name}_for_{node.name or node.output[0]}_{place}"
        node.input[place] = cast
        return onnx.helper.make_node("Cast", [name], [cast], f"{cast}_cast", to=FLOAT)

    def _retype(self, node: NodeProto) -> None:
        """Change attributes that name FP32 or hold it, in place."""
        for attribute in node.attribute:
            if attribute.g.node or attribute.graphs:
                raise Unavailable(
                    f"{node.op_type} {node.name}: no {self.dtype}: its subgraphs are not converted"
                )
            if attribute.name in ("to", "dtype") and attribute.i == FLOAT:
                attribute.i = self.kind
            if attribute.t.data_type == FLOAT:
                self._narrow(attribute.t)

    def _takes(self, node: NodeProto, side: str, place: int) -> bool:
        """True if this input or output can be narrow, or if ONNX does not define the operation.

        side: "inputs" or "outputs".
        """
        if any(attribute.name in ("value_float", "value_floats") for attribute in node.attribute):
            return False
        types = slot_types(node.op_type, node.domain, self.opset, side, place)
        return types is None or f"tensor({NARROW[self.dtype]})" in types


def slot_types(op: str, domain: str, opset: int, side: str, place: int) -> set[str] | None:
    """The types of an operation's input or output, as ONNX writes them: ``tensor(float16)``.

    side: "inputs" or "outputs". None where ONNX does not define the operation.
    """
    import onnx

    try:
        schema = onnx.defs.get_schema(op, opset, domain)
    except onnx.defs.SchemaError:
        return None
    slots = getattr(schema, side)
    slot = slots[min(place, len(slots) - 1)]  # the last one may repeat
    return set(slot.types)


def _float_names(model: ModelProto) -> Iterator[str]:
    for value in [*model.graph.input, *model.graph.output, *model.graph.value_info]:
        if value.type.tensor_type.elem_type == FLOAT:
            yield value.name
    for tensor in model.graph.initializer:
        if tensor.data_type == FLOAT:
            yield tensor.name
