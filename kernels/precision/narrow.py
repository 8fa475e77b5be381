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
FLOAT = 1  # TensorProto.FLOAT; attributes `to` and `dtype` hold it as a number


def narrow(model: ModelProto, dtype: str) -> Any:
    """A copy of ``model`` in ``dtype``, fp16 or bf16; Unavailable where no operation of it has that
    type.
    """
    work = _Narrowing(model, dtype)
    if dtype == "bf16" and not work.fits():
        work = _Narrowing(raised(model, BF16_OPSET, BF16_IR_VERSION, dtype), dtype)
    work.apply()
    return work.model


def narrowed(values: np.ndarray, dtype: str) -> bytes:
    """Floats as little-endian bytes of FP16 or BF16, both rounded to nearest, ties to even.

    What FP16 cannot hold becomes the largest value that it can; infinities, of which masks are
    made, stay.
    """
    if dtype == "fp16":
        held = np.clip(values, -FP16_MAX, FP16_MAX)
        return np.where(np.isinf(values), values, held).astype("<f2").tobytes()
    bits = np.ascontiguousarray(values, dtype="<f4").view("<u4")
    rounded = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    finite = np.where(
        np.isnan(values), np.uint32(0x7FC00000), rounded
    )  # rounding could carry a NaN into its sign
    return (finite >> np.uint32(16)).astype("<u2").tobytes()


def raised(model: ModelProto, opset: int, ir_version: int, dtype: str) -> Any:
    """The model at an opset that has ``dtype`` for nearly everything; as it is where onnx has no
    such opset yet.
    """
    import onnx.version_converter

    if _opset(model) >= opset or onnx.defs.onnx_opset_version() < opset:
        return model
    try:
        newer = onnx.version_converter.convert_version(model, opset)
    except Exception as problem:  # of the C++ converter: its type changes by version
        raise Unavailable(
            f"no {dtype}: cannot bring the model to opset {opset}: {one_line(problem)}"
        ) from problem
    newer.ir_version = max(model.ir_version, ir_version)
    return newer


def _opset(model: ModelProto) -> int:
    return next(
        (int(entry.version) for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 1
    )


class _Narrowing:
    """One rewriting, of a copy. floats: names of the FP32 tensors. stored: those that are
    initializers.
    """

    def __init__(self, model: ModelProto, dtype: str) -> None:
        import onnx

        self.model = onnx.ModelProto()
        self.model.CopyFrom(model)
        self.graph, self.dtype, self.opset = self.model.graph, dtype, _opset(model)
        self.kind = onnx.TensorProto.DataType.Value(NARROW[dtype].upper())
        self.stored = {t.name: t for t in self.graph.initializer if t.data_type == FLOAT}
        self.floats = {*self.stored, *_float_names(settle(self.model))}
        self.wide: dict[str, Any] = {}  # copies of stored tensors that some node takes in FP32 only
        self.native = 0  # inputs that are read in the narrow type

    def fits(self) -> bool:
        """Whether every operation takes all its activations in the narrow type."""
        return all(
            self._takes(node, "inputs", place)
            for node in self.graph.node
            for place, name in enumerate(node.input)
            if name in self.floats and name not in self.stored
        )

    def apply(self) -> None:
        nodes = [made for node in self.graph.node for made in self._rewritten(node)]
        if not self.native:
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
        """A TensorProto in place."""
        import onnx

        data = narrowed(onnx.numpy_helper.to_array(tensor), self.dtype)
        dims, name = list(tensor.dims), tensor.name
        tensor.Clear()
        tensor.name, tensor.data_type, tensor.raw_data = name, self.kind, data
        tensor.dims.extend(dims)

    def _rewritten(self, proto: Any) -> Iterator[Any]:
        """The node, and a Cast before or after it wherever ONNX gives it no such type."""
        import onnx

        node = onnx.NodeProto()
        node.CopyFrom(proto)
        self._retype(node)
        for place, name in enumerate(proto.input):
            if name in self.floats and self._takes(node, "inputs", place):
                self.native += node.op_type not in ("Cast", "Identity")
            elif name in self.floats:
                yield from self._widened(node, place, name)
        after = []
        for place, name in enumerate(proto.output):
            if name in self.floats and not self._takes(node, "outputs", place):
                node.output[place] = f"{name}_fp32"
                after.append(
                    onnx.helper.make_node(
                        "Cast", [f"{name}_fp32"], [name], f"{name}_cast", to=self.kind
                    )
                )
        yield node
        yield from after

    def _widened(self, node: NodeProto, place: int, name: str) -> Iterator[Any]:
        """Let the node read FP32 there: a stored tensor from a copy, an activation through a
        Cast.
        """
        import onnx

        if name in self.stored:
            node.input[place] = f"{name}_fp32"
            if name not in self.wide:
                self.wide[name] = onnx.TensorProto()
                self.wide[name].CopyFrom(self.stored[name])
                self.wide[name].name = f"{name}_fp32"
            return
        cast = f"{name}_for_{node.name or node.output[0]}_{place}"
        node.input[place] = cast
        yield onnx.helper.make_node("Cast", [name], [cast], f"{cast}_cast", to=FLOAT)

    def _retype(self, node: NodeProto) -> None:
        """Attributes that name FP32 or hold it."""
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
        """Whether this input or output can be narrow; of operations that ONNX does not define:
        yes.
        """
        import onnx

        if any(attribute.name in ("value_float", "value_floats") for attribute in node.attribute):
            return False
        try:
            schema = onnx.defs.get_schema(node.op_type, self.opset, node.domain)
        except onnx.defs.SchemaError:
            return True
        slots = getattr(schema, side)
        return f"tensor({NARROW[self.dtype]})" in slots[min(place, len(slots) - 1)].types


def _float_names(model: ModelProto) -> Iterator[str]:
    values = [*model.graph.input, *model.graph.output, *model.graph.value_info]
    yield from (value.name for value in values if value.type.tensor_type.elem_type == FLOAT)
    yield from (tensor.name for tensor in model.graph.initializer if tensor.data_type == FLOAT)
